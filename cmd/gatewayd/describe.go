package main

import (
	"fmt"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/gatewayd/gatewayd/pkg/supervisor"
)

// describe says in words what happened, and how loud. The cause is a field of
// its own, which the log puts behind the words.
func describe(e supervisor.Event) (zapcore.Level, string) {
	launch := fmt.Sprintf("%s launch %d", e.Gateway, e.Launch)
	took := e.After.Round(time.Millisecond).String()
	switch e.Kind {
	case supervisor.LaunchPreparing:
		return zapcore.DebugLevel, launch + " is prepared"
	case supervisor.LaunchCreated:
		return zapcore.DebugLevel, launch + " is created after " + took
	case supervisor.LaunchStarted:
		return zapcore.InfoLevel, launch + " is started"
	case supervisor.LaunchReady:
		return zapcore.InfoLevel, launch + " is ready after " + took
	case supervisor.LaunchUnhealthy:
		return zapcore.WarnLevel, launch + " is unhealthy"
	case supervisor.LaunchStopping:
		return zapcore.InfoLevel, launch + " is asked to end"
	case supervisor.LaunchKilling:
		return zapcore.WarnLevel, launch + " is killed"
	case supervisor.LaunchEnded:
		return ended(e), launch + " ended after " + took
	case supervisor.LaunchCleaned:
		return zapcore.DebugLevel, launch + " is cleaned"
	case supervisor.CleanIncomplete:
		return zapcore.WarnLevel, launch + " is not all cleaned, tried again " + at(e.Next)
	case supervisor.GatewayBackoff:
		return zapcore.WarnLevel, e.Gateway + " restarts " + at(e.Next)
	case supervisor.GatewayCrashLooping:
		return zapcore.ErrorLevel, e.Gateway + " crash-loops, restarts " + at(e.Next)
	case supervisor.GatewayFailed:
		return zapcore.ErrorLevel, e.Gateway + " failed; gatewayd start " + e.Gateway + " or a reload tries again"
	case supervisor.GatewayHeld:
		return zapcore.ErrorLevel, e.Gateway + " is held until its configuration, a secret or its source changes; gatewayd start " + e.Gateway + " tries at once"
	case supervisor.GatewayReleased:
		return zapcore.InfoLevel, e.Gateway + " is no longer held: its " + e.Why + " has changed"
	case supervisor.GatewayEnded:
		return zapcore.InfoLevel, e.Gateway + " has ended by its own policy"
	case supervisor.GatewayStopped:
		return zapcore.InfoLevel, e.Gateway + " is stopped"
	}
	return describeTraffic(e)
}

// describeTraffic has the words for what stands by, takes over, is deployed and drains.
func describeTraffic(e supervisor.Event) (zapcore.Level, string) {
	launch := fmt.Sprintf("%s launch %d", e.Gateway, e.Launch)
	revision := e.Gateway + " revision " + e.Revision
	took := e.After.Round(time.Millisecond).String()
	switch e.Kind {
	case supervisor.StandbyReady:
		return zapcore.InfoLevel, launch + " stands by"
	case supervisor.StandbyLost:
		return lost(e), launch + " stands by no longer"
	case supervisor.TookOver:
		return zapcore.InfoLevel, launch + " has taken over after " + took
	case supervisor.DeployStarted:
		return zapcore.InfoLevel, revision + " is deployed"
	case supervisor.DeployCanary:
		return zapcore.InfoLevel, fmt.Sprintf("%s gets %d %% of new connections until %s", launch, e.Count, clock(e.Next))
	case supervisor.DeploySwitched:
		return zapcore.InfoLevel, revision + " serves, deployed in " + took
	case supervisor.DeployFailed:
		return zapcore.ErrorLevel, revision + " is not deployed"
	case supervisor.DeployProved:
		return zapcore.InfoLevel, revision + " answers its probes"
	case supervisor.DeployConfirmed:
		return zapcore.InfoLevel, revision + " is confirmed"
	case supervisor.RolledBack:
		return zapcore.ErrorLevel, revision + " is back: the deploy after it did not last"
	case supervisor.LaunchDraining:
		return zapcore.InfoLevel, fmt.Sprintf("%s drains, connections in flight: %s", launch, inFlight(e.Count))
	case supervisor.LaunchDrained:
		return zapcore.InfoLevel, fmt.Sprintf("%s has drained, connections left: %s", launch, inFlight(e.Count))
	case supervisor.SteeringFailed:
		return zapcore.ErrorLevel, e.Gateway + " is not steered as it should be, tried again " + at(e.Next)
	}
	return zapcore.InfoLevel, e.Gateway + ": " + string(e.Kind)
}

// lost: a standby that had its age, or is not wanted any more, is no news.
func lost(e supervisor.Event) zapcore.Level {
	if e.Cause == nil {
		return zapcore.DebugLevel
	}
	return zapcore.WarnLevel
}

func inFlight(n int) string {
	if n < 0 {
		return "unknown"
	}
	return strconv.Itoa(n)
}

// ended: a crash is news for whoever watches, a stop as asked is not.
func ended(e supervisor.Event) zapcore.Level {
	if e.Cause == nil {
		return zapcore.InfoLevel
	}
	return zapcore.ErrorLevel
}

func at(t time.Time) string { return "at " + clock(t) }

func clock(t time.Time) string { return t.Format("15:04:05.000") }

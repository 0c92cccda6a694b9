package main

import (
	"fmt"
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
		return zapcore.DebugLevel, launch + " is created, " + took
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
	case supervisor.GatewayEnded:
		return zapcore.InfoLevel, e.Gateway + " has ended by its own policy"
	case supervisor.GatewayStopped:
		return zapcore.InfoLevel, e.Gateway + " is stopped"
	}
	return zapcore.InfoLevel, e.Gateway + ": " + string(e.Kind)
}

// ended: a crash is news for whoever watches, a stop as asked is not.
func ended(e supervisor.Event) zapcore.Level {
	if e.Cause == nil {
		return zapcore.InfoLevel
	}
	return zapcore.ErrorLevel
}

func at(t time.Time) string { return "at " + t.Format("15:04:05.000") }

// Package systemd is what gatewayd says to systemd and learns from it.
package systemd

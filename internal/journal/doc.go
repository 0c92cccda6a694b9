// Package journal carries gatewayd's own records and the output of its
// gateways to journald, or to a terminal.
package journal

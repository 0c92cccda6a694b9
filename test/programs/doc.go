// Package programs tests gatewayd with real servers that others wrote, each run
// as its example in configs/ says: nginx, haproxy and Python of Debian, Caddy
// built from its module, and gatewayd's own example for a Go program.
//
// unpack makes their trees, and test/host puts them into trees/ of the copy of
// the checkout in which the tests run. Nothing is installed.
//
// A program must show three things: it starts; its process killed, the next
// client is answered; and deployed under load, no new connection fails.
package programs

// Package probe asks one question of a gateway: does it work?
//
// Each kind of probe is a function that makes a Probe, which asks once per
// call and holds nothing between two calls:
//
//	HTTP     GET of an http or https URL; 2xx and 3xx are good
//	TCP      a connection to host:port
//	Unix     a connection to a unix socket within the gateway's root
//	Exec     a program; exit code 0 is good
//	Notify   waits for READY=1 on the launch's own notification socket
//
// An error says what was asked and what came, in the words that a person needs
// at night:
//
//	GET http://127.0.0.1:8090/healthz: connection refused
//	GET http://127.0.0.1:8090/healthz: answered 503 Service Unavailable: "starting"
//	connect to unix:///run/web.sock: no such file or directory
//	exec probe: exit code 1: "database is locked"
//
// An answer that does not come in time wraps context.DeadlineExceeded.
//
// # What a gateway can do to us
//
// A gateway is a stranger, and a probe reads what it sends. Headers, bodies,
// output and datagrams are bounded; only the end of the context bounds the
// time, so it must have one. What an error quotes is cut to 512 bytes and holds
// no control character. Redirects are not followed, and no proxy is used: the
// probe goes where the configuration says and nowhere else. A path of a unix
// socket is resolved within the gateway's root by the kernel (openat2(2)
// RESOLVE_IN_ROOT), links included. Of a notification only READY=1 and STATUS=
// count; the gateway cannot speak to systemd in gatewayd's name.
//
// What a probe does not tell: who answers. The certificate of an https server
// is not verified, and whoever holds the port answers for the gateway.
package probe

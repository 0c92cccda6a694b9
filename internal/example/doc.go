// Package example is the gateway that gatewayd demonstrates and tests itself
// with: a small HTTP service that behaves as a good gateway does, and that
// crashes when asked to.
//
//	/                  who answers: host name, pid, since when, how many requests
//	/healthz           ok
//	/crash             answers, then exits with code 1
//	/crash?code=3      … with code 3
//	/crash?signal=SEGV … by SIGSEGV
//	/slow?for=5s       answers after that time, at most a minute
//	/bytes?count=1000  that many zero bytes
//
// What a gateway under gatewayd should do, and this one does:
//
//   - It handles SIGTERM itself. As PID 1 of its container it has no default
//     action: a signal without a handler is dropped by the kernel
//     (pid_namespaces(7)).
//   - On SIGTERM it goes through the steps below, and returns within a bound
//     that is shorter than the supervisor's patience.
//   - It serves on the sockets that it is given (LISTEN_FDS and LISTEN_PID,
//     sd_listen_fds(3)), and opens one of its own only when there is none.
//   - It says READY=1 once it answers, where NOTIFY_SOCKET asks for that
//     (sd_notify(3)), and STOPPING=1 when it no longer will.
//
// # Ending without losing a request
//
// http.Server.Shutdown alone loses some: it closes idle connections on which the
// next request may be on its way already, and an accepted connection whose first
// request comes after Shutdown began is closed without an answer. The same holds
// for most servers. What loses none:
//
//  1. Close the own copy of the listening socket, nothing else. An inherited one
//     stays open elsewhere: what waits in its queue is for the next launch. Close,
//     never shutdown(2): that would act on the socket that all copies share.
//  2. Go on serving what had been accepted, and put "Connection: close" on each
//     answer. A client then opens a new connection, which the next launch gets.
//  3. When no connection is left, or after a second, Shutdown. It closes what has
//     been silent for that long and waits for the requests in flight.
//
// A client that sends its next request just as its connection is closed after
// that second still loses it, as it does with any server that closes idle
// connections; HTTP clients send such a request again where they may.
//
// It needs no file but its own binary: no /etc, no /proc, no /tmp.
package example

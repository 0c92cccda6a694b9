// Package control is how the commands of gatewayd talk to the daemon: HTTP over
// a unix socket that only its own user and root can open.
//
// # The daemon's side
//
// Listen makes the socket, Serve answers on it until its context ends. What is
// asked reaches a Daemon, whose errors travel back: an *Error with its code, any
// other error as one with CodeFailed.
//
//	l, err := control.Listen(filepath.Join(dir, "control.sock")) // the caller holds the lock of dir
//	err = control.Serve(ctx, l, daemon, secrets)
//
// # The other side
//
//	report, err := control.Dial(path).Status(ctx)
//	if errors.Is(err, control.ErrNotRunning) { … }
//
// # Routes
//
//	GET  /v1/status                     200, a Report
//	POST /v1/gateways/NAME/start        204 once NAME is ready
//	POST /v1/gateways/NAME/stop         204 once NAME has stopped and is cleaned
//	POST /v1/gateways/NAME/restart      204 once NAME is ready again
//	POST /v1/gateways/NAME/deploy       200, a Deployed, once the new revision serves; takes a DeployRequest
//	POST /v1/gateways/NAME/rollback     200, a Deployed, once the revision before serves; takes a RollbackRequest
//	POST /v1/gateways/NAME/verify       200, a Verification
//	GET  /v1/gateways/NAME/history      200, a History
//	GET  /metrics                       200, a Text: metrics, as Prometheus reads them
//	POST /v1/reload                     204 once the configuration is accepted
//
// Everything else is answered with an object {"code", "message"}: 400 request,
// 404 unknown-gateway, 409 rolled-back, 422 config, 500 failed. A POST carries
// no body or a JSON object, of the fields that are named here: others are
// refused, and so are query parameters, so that a misspelt one is never ignored
// silently. Answers are only ever added to; a reader passes over fields that it
// does not know.
//
// # Who may ask
//
// The socket has mode 0600 from its first moment, and the uid of each peer, as
// the kernel knows it (SO_PEERCRED, unix(7)), must be the daemon's or root's.
// A rootless container runs as that same uid: what keeps it out is that its
// mount namespace shows no control socket. Never mount the runtime directory
// into a container.
//
// A peer with that uid may still be broken or hostile. Headers and bodies have
// a size and a time in which they must arrive, an answer a time in which it
// must be read, and there is a limit of connections. What a daemon does for
// start, stop, restart, deploy, rollback and reload has no limit of time here: it
// ends when it is done, or when the client hangs up, which cancels the context of
// the call.
package control

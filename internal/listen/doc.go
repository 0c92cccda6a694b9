// Package listen owns the addresses of gateways, from before their first launch to after
// their last. A Port is one address; a launch takes a Slot of it, whose socket its program
// inherits; the kernel is told which slot gets new connections. No data passes through
// gatewayd, no connection is refused while nothing serves, and no privilege is needed.
//
// # Slots
//
// A TCP port is a group of nine sockets with SO_REUSEPORT: eight slots and a control
// socket. They are made at once, and none is closed while the port lives. A classic BPF
// program returns the place in the group of the socket that gets a new connection; to
// replace it takes 30 to 50 µs and is atomic. It sends all to one place, or a share of them by
// chance to a second one (a canary), and connections of ours, known by their source
// address and port, to where each is meant. Linux 4.5 can steer; 5.10 is needed to prove it.
//
// Take gives a launch the steered slot when nobody holds it, else a free one. Release
// gives it back when its processes are gone. In between the program accepts, and nobody
// else does.
//
// # Rescue
//
// gatewayd accepts from each socket that no launch holds and that new connections do not
// go to, and relays what it finds there to the slot that serves: what waited for a launch
// that died, what came between two programs, what a shifted order led astray. What waits
// in the steered slot while nobody holds it waits for the next launch, which takes that
// slot. A rescued connection loses the address of its client, and ends with gatewayd. A
// port relays 256 at once; the others wait.
//
// # Marks and proofs
//
// Each member carries a number in four socket options without effect on a connection,
// which accepted connections inherit and sock_diag(7) shows to everybody. So one dump
// counts the connections of each slot (InFlight), and the entry of a connection of ours
// tells which slot it reached (Dial): an answer of another launch cannot be taken for the
// one that was asked. A program that changes the marks of its own listener confuses the
// drain of its own gateway, and nothing else.
//
// The order of a group is never assumed: Open, and Mend after each end of a launch and
// each failed probe, connect to each place and look which member was there. To a program
// that has a slot this is a connection that is over without a byte. Check is for now and
// then, though nothing has happened, and bothers no program.
//
// # What programs do to their sockets
//
// A slot is an open file that a program shares with gatewayd. It can shut it down, which
// takes it out of the group, resets what waits in it and moves the last member to its
// place: Mend listens again and proves the new order; meanwhile the rescue brings
// connections to where they belong. It can turn O_NONBLOCK off: each launch finds it set,
// and nothing here turns it off, because a running program would hang in accept(2). It
// cannot attach a
// program to the group (SO_LOCK_FILTER), but can detach it (SO_DETACH_REUSEPORT_BPF):
// Mend attaches it again. It can leave its queue full: clients wait as long as they like.
// The control socket is inherited by nobody.
//
// A process of the same user can join the group from outside with SO_REUSEPORT. Before
// the group is made a plain bind(2) finds whoever has the port in whatever way; later Mend
// and Check find a stranger among the listeners. Both name it by a *TakenError, as far as /proc
// shows whose socket it is.
//
// # One socket
//
// A unix socket, a socket that systemd owns (systemd:NAME), and a port that the kernel
// does not steer have one socket for all launches: Kind is Shared and Why says what that
// costs. Steer does nothing, Dial connects to whoever accepts, InFlight is ErrShared. The
// path of a unix socket has mode 0600; Mend makes a new socket where it was removed, and
// says so by ErrRenewed, for launches that run have the old one.
//
// # gatewayd as a launch
//
// A proxy takes a slot as a launch does, and accepts from its Listener: so launches behind
// it and launches that inherit are side by side on one address.
//
// # Restarts
//
// The Keeper has all sockets, by names made of the address, 0 to 7 and control: an address
// is found again whatever its gateway is called now. They come
// back in Options.Sockets in any order. They are checked, the order is proved anew, and
// where one is missing all are opened anew. The slot with the longest queue is the steered
// one, as no launch is left. Another image of the same process has launches: it gets State, begins with
// their slots held, and each launch goes on with Hold. Leave lets go of a port and Close
// gives it up.
package listen

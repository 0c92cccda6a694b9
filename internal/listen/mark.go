package listen

import "golang.org/x/sys/unix"

// mark is a number from 1 to 15 that a listener hands down to the connections it accepts,
// and that sock_diag shows to everybody: four options which have no effect on a TCP
// connection, in the order of the bits. 0 is what a socket has that nobody has marked.
type mark uint8

const controlMark = mark(slots + 1)

// slotMark is the mark of slot n.
func slotMark(n int) mark { return mark(n + 1) }

// set marks fd, which is bound already: IP_FREEBIND and IP_BIND_ADDRESS_NO_PORT have an
// effect on bind(2), and on nothing that comes after it.
func (m mark) set(fd int) error {
	return setAll(fd, []option{
		{unix.SOL_IP, unix.IP_MULTICAST_LOOP, toInt(m&1 == 0)}, // on by default
		{unix.SOL_IP, unix.IP_MULTICAST_ALL, toInt(m&2 == 0)},  // on by default
		{unix.SOL_IP, unix.IP_FREEBIND, toInt(m&4 != 0)},
		{unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, toInt(m&8 != 0)},
	})
}

// markOf reads the two bytes of struct inet_diag_sockopt, <linux/inet_diag.h>.
func markOf(b []byte) mark {
	if len(b) < 2 {
		return 0
	}
	bit := func(of byte, n int) mark { return mark(of >> n & 1) }
	return (1 - bit(b[0], 4)) | (1-bit(b[0], 6))<<1 | bit(b[0], 2)<<2 | bit(b[1], 0)<<3
}

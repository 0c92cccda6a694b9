package listen

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// packed is a netlink message as the kernel aligns it.
func packed(kind uint16, body []byte) []byte {
	b := make([]byte, header, header+len(body)+3)
	binary.NativeEndian.PutUint32(b, uint32(header+len(body)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	b = append(b, body...)
	return append(b, make([]byte, -len(b)&3)...)
}

// What the kernel has packed is read as it was; a datagram that is cut off anywhere
// but between two messages is an error, and so is a dump that the kernel gave up.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("first"), []byte("second, and longer"), uint16(3), int32(0))
	f.Fuzz(func(t *testing.T, a, b []byte, cut uint16, errno int32) {
		first, second := packed(diagByFamily, a), packed(diagByFamily, b)
		both := bytes.Join([][]byte{first, second}, nil)
		failed := errno > 0 && errno < 4096 && unix.Errno(errno) != unix.ENOENT
		if !failed {
			errno = 0
		}
		end := packed(unix.NLMSG_DONE, binary.NativeEndian.AppendUint32(nil, uint32(-errno)))
		got, done, err := readAnswers(nil, append(bytes.Clone(both), end...))
		if !done || (err != nil) != failed || len(got) != 2 || !bytes.Equal(got[0], a) || !bytes.Equal(got[1], b) {
			t.Errorf("%q, %v, %v", got, done, err)
		}
		at := int(cut) % len(both)
		got, _, err = readAnswers(nil, both[:at])
		ends := func(unpadded, padded int) bool { return unpadded <= at && at <= padded } // what aligns need not be there
		whole := at == 0 || ends(header+len(a), len(first)) || ends(len(first)+header+len(b), len(both))
		if !whole && err == nil {
			t.Errorf("half a datagram, %d of %d and %d bytes: %q", at, len(first), len(second), got)
		}
	})
}

// Whatever an answer holds, all that is read of it lies within it.
func FuzzEndpoint(f *testing.F) {
	f.Add(make([]byte, answerSize+8), uint16(diagSockopt))
	f.Fuzz(func(t *testing.T, datagram []byte, kind uint16) {
		answers, _, _ := readAnswers(nil, datagram)
		total := 0
		for _, a := range append(answers, datagram) {
			total += len(a) + header
			if value := attribute(a, kind); value != nil && (len(value)+4 > len(a) || !bytes.Contains(a, value)) {
				t.Errorf("%q is not of %q", value, a)
			}
			if len(a) < answerSize {
				continue
			}
			if e := readEndpoint(a); e.mark > controlMark|15 || !e.local.IsValid() || e.remote.Addr().Is4In6() {
				t.Errorf("%+v", e)
			}
		}
		if total > 2*len(datagram)+header {
			t.Errorf("%d bytes of %d", total, len(datagram))
		}
	})
}

// A path may hold anything but a newline; a line of another socket tells nothing.
func FuzzUnixTable(f *testing.F) {
	f.Add("/run/web.sock", "/run/other.sock", uint32(4711))
	f.Fuzz(func(t *testing.T, path, other string, number uint32) {
		if path == "" || path == other || strings.ContainsAny(path+other, "\n\x00") {
			return
		}
		const line = "%016X: 00000002 00000000 00010000 0001 01 %5d %s\n" // net/unix/af_unix.c
		table := "Num       RefCount Protocol Flags    Type St Inode Path\n" + fmt.Sprintf(line, 1, 99, other) + fmt.Sprintf(line, 0, number, path) +
			"0000000000000000: 00000003 00000000 00000000 0001 03 77\n"
		if got := parseUnix(table, path); len(got) != 1 || got[0] != uint64(number) {
			t.Errorf("%v for %q, want %d", got, path, number)
		}
	})
}

// A process calls itself what it likes; its name goes to the journal and to terminals.
func FuzzHolder(f *testing.F) {
	f.Add([]byte("nginx\n"))
	f.Fuzz(func(t *testing.T, comm []byte) {
		says := (&TakenError{Address: "a", Holders: []Holder{{PID: 1, Name: nameOf(comm)}}}).Error()
		if !utf8.ValidString(says) || len(says) > 100+utf8.UTFMax*len(comm) || strings.ContainsFunc(says, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", says)
		}
	})
}

package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os/user"
	"slices"
	"strconv"

	subid "github.com/moby/sys/user"
)

const (
	// maxLines bounds a map: the kernel takes less than a page at one write
	// of uid_map, and a line has at most 33 bytes.
	maxLines = 100

	// maxIDs bounds a container's ids to what every program can hold in an int.
	maxIDs = math.MaxInt32
)

// SubordinateIDs maps 0 of the container to uid and gid, and 1 and up to the
// ids that /etc/subuid and /etc/subgid give to the user owner, one range behind
// the other in their order. A user maps 0 to its own ids; root to any but its
// own, since no id of a container is the host's root.
//
// Of the files' ranges only what is fit for use is taken: none begins at 0, no
// id is mapped twice, and what is not two numbers within 32 bits is not taken
// for some. At most 100 ranges and 2³¹-1 ids are.
//
// The error is ErrNoRange where the user has none, and says what to do about it.
// Other sources of subordinate ids (subid in nsswitch.conf, such as sssd) are not
// asked, and a user's name is known from /etc/passwd alone: one that comes from a
// directory service needs entries by number. Whether the ids can be had CheckIDs
// tells.
func SubordinateIDs(owner, uid, gid int) (IDMap, error) {
	return subordinates{"/etc/subuid", "/etc/subgid", userName(owner), owner}.ids(uid, gid)
}

// CheckGranted is an error, ErrNoRange, unless /etc/subuid gives the id uid and
// /etc/subgid the id gid to the user owner. newuidmap(1) gives a user its own ids
// in any case, and root none but those.
func CheckGranted(owner, uid, gid int) error {
	s := subordinates{"/etc/subuid", "/etc/subgid", userName(owner), owner}
	return errors.Join(s.granted(s.uidFile, uid), s.granted(s.gidFile, gid))
}

func (s subordinates) granted(file string, id int) error {
	entries, err := readSubordinate(file)
	if err != nil {
		return err
	}
	gives := func(e subid.SubID) bool {
		return usable(e) && s.of(e) && int64(id) >= e.SubID && int64(id)-e.SubID < e.Count
	}
	if slices.ContainsFunc(entries, gives) {
		return nil
	}
	return fmt.Errorf("%w: %s does not give user %s the id %d of container root: add the line %[3]s:%[4]d:1", ErrNoRange, file, s.called(), id)
}

// called is how the user is named in the files.
func (s subordinates) called() string {
	if s.name == "" {
		return strconv.Itoa(s.owner)
	}
	return s.name
}

// subordinates are the files that give subordinate ids, and whose in them.
type subordinates struct {
	uidFile, gidFile string
	name             string // empty: the user has none
	owner            int
}

func userName(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return ""
	}
	return u.Username
}

func (s subordinates) ids(uid, gid int) (IDMap, error) {
	if uid <= 0 || gid <= 0 {
		return IDMap{}, fmt.Errorf("map 0:0 to %d:%d: a container is never root on the host", uid, gid)
	}
	uids, uidErr := s.ranges(s.uidFile, uid)
	gids, gidErr := s.ranges(s.gidFile, gid)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return IDMap{}, err
	}
	if len(uids) == 0 || len(gids) == 0 {
		return IDMap{}, s.noRange(len(uids) == 0, len(gids) == 0)
	}
	uids = slices.Insert(uids, 0, IDRange{Host: uint32(uid), Size: 1})
	gids = slices.Insert(gids, 0, IDRange{Host: uint32(gid), Size: 1})
	return IDMap{UIDs: laid(uids), GIDs: laid(gids)}, nil
}

// ranges returns what file gives to the owner, without own.
func (s subordinates) ranges(file string, own int) ([]IDRange, error) {
	entries, err := readSubordinate(file)
	if err != nil {
		return nil, err
	}
	var ranges []IDRange
	taken := []IDRange{{Host: uint32(own), Size: 1}}
	for _, e := range entries {
		if !usable(e) || !s.of(e) || len(ranges) >= maxLines {
			continue
		}
		for _, r := range without(IDRange{Host: uint32(e.SubID), Size: uint32(e.Count)}, taken) {
			ranges, taken = append(ranges, r), append(taken, r)
		}
	}
	return ranges, nil
}

// of reports whether e is the user's. An entry names him or his number.
func (s subordinates) of(e subid.SubID) bool {
	return e.Name == s.name && s.name != "" || e.Name == strconv.Itoa(s.owner)
}

// readSubordinate returns the entries of file; none of one that is absent.
func readSubordinate(file string) ([]subid.SubID, error) {
	entries, err := subid.ParseSubIDFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return entries, nil
}

// usable reports whether e is two numbers that ids can be. The parser has 0 for
// what is no number, and root is not to be given away either. The last of 32
// bits is no id: it stands for none.
func usable(e subid.SubID) bool {
	return e.SubID > 0 && e.SubID < math.MaxUint32 && e.Count > 0 && e.Count <= math.MaxUint32-e.SubID
}

// without returns what is left of r when the host's ids of taken are left out:
// the kernel refuses a map in which two ids are one.
func without(r IDRange, taken []IDRange) []IDRange {
	left := []IDRange{r}
	for _, t := range taken {
		var next []IDRange
		for _, l := range left {
			next = append(next, minus(l, t)...)
		}
		left = next
	}
	return left
}

func minus(r, t IDRange) (left []IDRange) {
	rEnd, tEnd := r.Host+r.Size, t.Host+t.Size
	if tEnd <= r.Host || t.Host >= rEnd {
		return []IDRange{r}
	}
	if t.Host > r.Host {
		left = append(left, IDRange{Host: r.Host, Size: t.Host - r.Host})
	}
	if tEnd < rEnd {
		left = append(left, IDRange{Host: tEnd, Size: rEnd - tEnd})
	}
	return left
}

// laid gives the ranges their places in the container, one behind the other.
func laid(ranges []IDRange) []IDRange {
	var next uint32
	ranges = slices.Clone(ranges[:min(len(ranges), maxLines)])
	for i := range ranges {
		r := &ranges[i]
		r.Container, r.Size = next, min(r.Size, maxIDs-next)
		next += r.Size
	}
	return slices.DeleteFunc(ranges, func(r IDRange) bool { return r.Size == 0 })
}

// noRange says which file lacks whom, and the command that helps.
func (s subordinates) noRange(uids, gids bool) error {
	first, err := s.free()
	if err != nil {
		return err
	}
	name := s.called()
	var files, flags string
	for _, lack := range []struct {
		lacks      bool
		file, flag string
	}{{uids, s.uidFile, "subuids"}, {gids, s.gidFile, "subgids"}} {
		if lack.lacks {
			files += " and " + lack.file
			flags += fmt.Sprintf(" --add-%s %d-%d", lack.flag, first, first+65535)
		}
	}
	advice := fmt.Sprintf(`"usermod%s %s"`, flags, name)
	if s.name == "" { // usermod knows it by name only
		advice = fmt.Sprintf("the line %s:%d:65536 in there", name, first)
	}
	return fmt.Errorf("%w: no range for user %s in %s: have root give it one by %s", ErrNoRange, name, files[len(" and "):], advice)
}

// free returns the first id above all that somebody was given: ids that two
// users share are no wall between their containers.
func (s subordinates) free() (int64, error) {
	uids, err := readSubordinate(s.uidFile)
	gids, gidErr := readSubordinate(s.gidFile)
	first := int64(100000)
	for _, e := range slices.Concat(uids, gids) {
		if usable(e) {
			first = max(first, e.SubID+e.Count)
		}
	}
	return first, errors.Join(err, gidErr)
}

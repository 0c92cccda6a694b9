package bundle

import (
	"fmt"
	"math"
	"os"
)

// keepID is what chown(2) takes for "as it is".
const keepID = math.MaxUint32

// ids are a user and a group.
type ids struct{ uid, gid uint32 }

// owners is the rule by which a copy's owners follow from the source's.
type owners struct {
	ids, source IDMap
	self        ids
	rule        func(owners, *attributes, ids) error
}

// ownersOf is the rule for this process. inNamespace: it is root of a user
// namespace with the mapping o.IDs.
func ownersOf(o CopyOptions, inNamespace bool) owners {
	rule := owners{ids: o.IDs, source: o.SourceIDs, self: ids{uint32(os.Geteuid()), uint32(os.Getegid())}}
	switch _, _, mapped := o.IDs.Root(); {
	case !mapped:
		rule.rule = owners.kept
	case inNamespace && o.IDs.Single():
		rule.rule = owners.kept
	case inNamespace:
		rule.rule = owners.seen
	case o.IDs.Single():
		rule.rule = owners.root
	case rule.self.uid == 0:
		rule.rule = owners.mapped
	default:
		rule.rule = owners.given
	}
	return rule
}

func (o owners) own(a *attributes, was ids) error { return o.rule(o, a, was) }

func (o owners) kept(*attributes, ids) error { return nil }

func (o owners) root(a *attributes, _ ids) error {
	uid, gid, _ := o.ids.Root()
	a.uid, a.gid = uint32(uid), uint32(gid)
	return nil
}

// seen is for a namespace, where the kernel shows the container's ids. What is
// not mapped it shows as overflowID: whose that is nobody in there can find out.
func (o owners) seen(a *attributes, was ids) error {
	host, err := o.host(was, was)
	if err != nil || was.uid == overflowID || was.gid == overflowID {
		return fmt.Errorf("%w: %d:%d, as an entry with this owner is seen beside one that only its owner's namespace can read", ErrUnmapped, was.uid, was.gid)
	}
	uid, gid, _ := o.ids.Root()
	self := ids{uint32(uid), uint32(gid)}
	a.uid = toInside(host.uid, self.uid, o.source.UIDs, o.ids.UIDs)
	a.gid = toInside(host.gid, self.gid, o.source.GIDs, o.ids.GIDs)
	_, err = o.host(ids{a.uid, a.gid}, was)
	return err
}

// mapped is for the host's root, who may give to anybody.
func (o owners) mapped(a *attributes, was ids) error {
	_, host, err := o.follow(was)
	a.uid, a.gid = host.uid, host.gid
	return err
}

// given is for a user, who may give to nobody: only root of a namespace can,
// when all is copied. It is not done there from the beginning because nothing
// in a namespace can see an owner that is not mapped, such as the host's root.
func (o owners) given(a *attributes, was ids) error {
	inside, host, err := o.follow(was)
	a.uid, a.gid = o.self.uid, o.self.gid
	if host != o.self {
		a.give, a.inside = true, inside
	}
	return err
}

// follow says who the owner of an entry of the source is in the container, and
// who that is on the host.
func (o owners) follow(was ids) (inside, host ids, err error) {
	inside.uid = toInside(was.uid, o.self.uid, o.source.UIDs, o.ids.UIDs)
	inside.gid = toInside(was.gid, o.self.gid, o.source.GIDs, o.ids.GIDs)
	host, err = o.host(inside, was)
	return inside, host, err
}

func (o owners) host(inside, was ids) (ids, error) {
	uid, haveUID := toHost(o.ids.UIDs, inside.uid)
	gid, haveGID := toHost(o.ids.GIDs, inside.gid)
	if !haveUID || !haveGID {
		return ids{}, fmt.Errorf("%w: %d:%d", ErrUnmapped, was.uid, was.gid)
	}
	return ids{uid, gid}, nil
}

// toInside is the order in which an id of the source is looked up. What is in no
// mapping may be one of the container itself: a tree that root installed has an
// image's own numbers.
func toInside(id, self uint32, source, mapped []IDRange) uint32 {
	if id == self {
		return 0
	}
	if inside, ok := toContainer(source, id); ok {
		return inside
	}
	if inside, ok := toContainer(mapped, id); ok {
		return inside
	}
	return id
}

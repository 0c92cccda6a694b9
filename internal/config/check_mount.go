package config

// fillMounts takes an array of tables.
func fillMounts(r *report, n *node, into *Gateway) {
	if !n.isArray() {
		r.value(n, "want an array of tables, [[%s]], got %s", n.key(), kinds[n.kind])
		return
	}
	for _, element := range n.children {
		var m Mount
		if !mountKeys.fill(r, element, &m) {
			continue
		}
		requireKeys(r, element, "source", "target")
		checkOrder(r, element.find("target"), m, into.Mounts)
		into.Mounts = append(into.Mounts, m)
	}
}

// checkOrder reports a mount that hides an earlier one.
func checkOrder(r *report, target *node, m Mount, earlier []Mount) {
	if m.Target == "" {
		return // at fault already
	}
	for _, other := range earlier {
		switch {
		case other.Target == m.Target:
			r.value(target, "%s is the target of an earlier mount", quote(m.Target))
			return
		case other.Target != "" && beneath(other.Target, m.Target):
			r.value(target, "%s hides the earlier mount at %s: list the outer one first", quote(m.Target), quote(other.Target))
			return
		}
	}
}

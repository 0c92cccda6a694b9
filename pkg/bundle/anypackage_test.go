package bundle

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// members are what a config.json may be made of: what is taken over, what is
// replaced, and what is refused. Chosen at random they get deeper than bytes
// that a fuzzer changes.
var members = map[string][]string{
	"process": {
		`"args": ["/bin/web"]`, `"args": ["a", "\u0000"]`, `"cwd": "/srv/../x"`, `"cwd": "x"`, `"terminal": true`,
		`"env": ["A=1", "A=2", "PATH=", "NOTIFY_SOCKET=x", "LISTEN_FDS=1"]`, `"env": ["A"]`,
		`"user": {"uid": 4294967295, "gid": 7, "umask": 18}`, `"user": {"additionalGids": [0]}`,
		`"user": {"uid": 101, "gid": 101, "additionalGids": [0, 65535]}`, `"user": {"gid": 65536}`, `"user": {"additionalGids": [7, 70000]}`,
		`"capabilities": {"bounding": ["CAP_SYS_ADMIN"], "ambient": ["CAP_SYS_ADMIN"]}`, `"noNewPrivileges": false`,
		`"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 18446744073709551615}]`,
		`"oomScoreAdj": -1000`, `"scheduler": {"policy": "SCHED_FIFO"}`, `"ioPriority": {"class": "IOPRIO_CLASS_RT", "priority": 0}`,
	},
	"linux": {
		`"namespaces": []`, `"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]`, `"resources": {"devices": [{"allow": true}]}`,
		`"uidMappings": [{"containerID": 0, "hostID": 0, "size": 1}]`, `"cgroupsPath": "/"`, `"maskedPaths": []`, `"maskedPaths": ["/x"]`,
		`"uidMappings": [{"containerID": 0, "hostID": 7, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 65535}]`,
		`"maskedPaths": ["/proc/kcore", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]`,
		`"gidMappings": [{"containerID": 0, "hostID": 7, "size": 65537}]`, `"gidMappings": [{"containerID": 1, "hostID": 1, "size": 0}]`,
		`"readonlyPaths": ["/x/"]`, `"seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}`, `"devices": []`, `"sysctl": {"a": "b"}`, `"rootfsPropagation": "rshared"`,
	},
	"mounts": {
		`{"destination": "/data", "type": "tmpfs", "options": ["size=1m", "dev", "suid"]}`, `{"destination": "/data/../proc", "type": "tmpfs"}`,
		`{"destination": "/dev/shm/x", "type": "tmpfs"}`, `{"destination": "/sys//", "type": "bind", "source": "/"}`, `{"destination": "", "type": "tmpfs"}`,
		`{"destination": "/data", "type": "bind", "source": "/opt/web/file", "options": ["bind", "rw", "suid"]}`,
		`{"destination": "/etc", "type": "bind", "source": "/opt/web/../secret"}`, `{"destination": "/h", "type": "tmpfs", "source": "/", "options": ["bind"]}`,
		`{"destination": "/tmp", "type": "tmpfs", "options": ["mode=1777", "uid=0"]}`, `{"destination": "/tmp"}`,
	},
	"": {
		`"hooks": {}`, `"hooks": {"startContainer": [{"path": "/x"}]}`, `"root": {"path": "/", "readonly": true}`, `"root": null`,
		`"hostname": "h"`, `"annotations": {"run.oci.handler": "x"}`, `"ociVersion": "9"`, `"vm": {}`,
	},
}

func TestSpecOfAnyPackage(t *testing.T) {
	h, taken, refusals := testHost(t), 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(key string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(members[key]), 0, 3).Draw(rt, "members of "+key), ",")
		}
		parts := []string{`"process": {"args": ["x"]}`, `"process": {"args": ["x"],` + draw("process") + `}`, `"linux": {` + draw("linux") + `}`, `"mounts": [` + draw("mounts") + `]`, draw("")}
		text := strings.ReplaceAll("{"+strings.Trim(strings.Join(parts, ","), ",")+"}", ",}", "}")
		packaged, err := parseSpec([]byte(text))
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		plan := rapid.SampledFrom(testPlans()).Draw(rt, "plan")
		plan.ReadOnly = rapid.Bool().Draw(rt, "read-only")
		plan.Network = rapid.SampledFrom([]string{NetworkHost, NetworkNone}).Draw(rt, "network")
		spec, err := plan.specOn(h, packaged)
		if err != nil {
			refusals++
			checkRefusal(rt, packaged, spec, err)
			return
		}
		taken++
		checkHardened(rt, plan, h, spec)
		checkUser(rt, plan, packaged, spec)
	})
	if taken == 0 || refusals == 0 {
		t.Errorf("%d taken and %d refused: the test looks at one side only", taken, refusals)
	}
}

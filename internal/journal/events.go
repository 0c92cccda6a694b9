package journal

// eventDropped is the event that the sink itself reports.
const eventDropped = "output-dropped"

// events gives each event a 128-bit id, as sd-id128(3) wants for MESSAGE_ID.
// The ids were drawn at random once. They are an interface: queries, alerts
// and message catalogs hold them, so a row is never changed, only added.
var events = []struct{ name, id string }{
	{"launch-preparing", "6f45167b92624b3cb6d5f1024384703e"},
	{"launch-created", "ce5d036223cf47b1b798b89b3a3ce3a0"},
	{"launch-started", "1238ccbfe84f4bd19da723bbcfe49fe9"},
	{"launch-ready", "2bb98f5061544bbabedb2f332d122d6c"},
	{"launch-unhealthy", "b6d3abcf61e641efaf93dc6f6532aa92"},
	{"launch-stopping", "8d327f58e69d4dd182cf364eeb503371"},
	{"launch-killing", "c58c1374f6464335860316222c927ae3"},
	{"launch-ended", "9904a9ba5f5b4607aa557ba28b1d6d4f"},
	{"launch-cleaned", "59bcb071b33c470ab096577f0b28f6f0"},
	{"clean-incomplete", "1c51196acfc343cf9cb06f2b757905e7"},
	{"gateway-backoff", "0a0a782d438b485393a15ed852d90533"},
	{"gateway-crash-looping", "1ae2f453d97f43cdac2b9093d69aa7aa"},
	{"gateway-failed", "801ee6483fef4ab68ee955d16785e613"},
	{"gateway-ended", "a65ab91c7d2a4e5d82fcf5d1d059e883"},
	{"gateway-stopped", "f9de01f3278d4df3971d3b52ad049de4"},
	{"daemon-started", "8787c66e6e244791abcfa882ac13094c"},
	{"daemon-ready", "c4e12beccce8445595982b649eb26361"},
	{"daemon-stopping", "0b297272a9d24e63b98b1220e7c42964"},
	{"daemon-stopped", "ba5d1eb2b4e848828ef5830d58061f59"},
	{"config-reloaded", "31e0a86d0b9e4deeaad26474f1d424b5"},
	{"config-rejected", "6db3570934ca4d909c121f2e880c41f9"},
	{"sweep-cleaned", "f982122680f94d7fbfb945b78ae10603"},
	{"output-dropped", "79f335ae5b824058ad80261ec52e9f87"},
	{"runtime-chosen", "61e91989160c4d7299929b471453d193"},
	{"posture", "7ba350f1842c483b985f66d7c63f2adf"},
	{"bare-warning", "633858571f0c42a193cedfb09ecbb87e"},
	{"staged", "28a56befaf2b4edcaad457c7c1bda15f"},
	{"source-changed", "496dc43bf6cd4c63a78e0149ea028b66"},
	{"overlay-tried", "66c09d55851f4e96aeb1d757ccca35ca"},
	{"standby-ready", "f3d7f12385b84666803589bad0e20029"},
	{"standby-lost", "8b71e9e8dabd4df4b352a2c7ecdfc4aa"},
	{"took-over", "55b520cfce4c40188245d11a5a731466"},
	{"deploy-started", "0d964784d3f7480ab44ece5ca7fc42ed"},
	{"deploy-canary", "4113effa69a144e9975f0438fe6c324d"},
	{"deploy-switched", "3148df4f7b864b679bfdb290197b2089"},
	{"deploy-failed", "1225447b53d74844b644394dbb6f45ef"},
	{"deploy-proved", "40f38a9003664f558f7e847452ab1d40"},
	{"deploy-confirmed", "fe00083198174ffab6351f16f6725377"},
	{"rolled-back", "8b38012568f94a508835374adce2c248"},
	{"launch-draining", "7991fe48601a42bdb8499ba12df01477"},
	{"launch-drained", "aad360b26d594ddba41ab53aecffe0ac"},
	{"steering-failed", "1750a7863d9d47fe9c6451edacac4a5c"},
	{"rescued", "00691ed31ec29505d74b10cab9270700"},
	{"listen-trouble", "3ba958d0a9384253bf810870a2741a9c"},
	{"steering", "ca57e4c92a21021e8239826a040ac388"},
	{"proxy", "8198fa02748ca2d6c33a152828471d3b"},
	{"history-lost", "56fa2ecc4457f42f542aa50bbde54a81"},
	{"revision-resumed", "511bbb8c491c61ba0dd7f733286c0b33"},
	{"standby-created", "dbc36801d956b4436af943489a5a388f"},
	{"socket-dropped", "3738b51a5fc066810f9586c66a4230b7"},
	{"secrets-delivered", "354c371ad0224a5486f7ee93109ef7e2"},
	{"secret-changed", "62b2a0887edc4c408e68be8b1b271c18"},
	{"secret-unread", "d055cc027d8b48eeab59a33fb2a8f4a6"},
	{"socket-unused", "cc969cae07d41761fe6bfd448baaec99"},
	{"daemon-reexecuted", "9d8f5e29a22842cca8512a2dd9a655a9"},
	{"reexec-started", "132a5e99079d49299785845b75c800c2"},
	{"reexec-refused", "8821eaccf8644d599f584f5acf63faec"},
	{"hold-lost", "d134157a31514118a7e0da857e8d753c"},
	{"gateway-held", "3018f2b9ccfe4e8fa075d189f41df2b0"},
	{"gateway-released", "01b185d929e14610ae907d681ffe24a6"},
	{"probe-unasked", "3d53bfe0967c4c69be0266955ef8824a"},
	{"runtime-changed", "e4bed221fd7242ac9fdd72e341935e09"},
}

// MessageID returns the MESSAGE_ID of an event, 32 hexadecimal digits, or ""
// for an event that is not in the table.
func MessageID(event string) string {
	for _, e := range events {
		if e.name == event {
			return e.id
		}
	}
	return ""
}

// Events lists the names of all events.
func Events() []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.name
	}
	return names
}

package metrics

import (
	"fmt"
	"strconv"
	"strings"
)

// text grows by families of samples.
type text struct {
	strings.Builder
	name string // of the family
}

func (t *text) family(name, kind, help string) {
	t.name = name
	fmt.Fprintf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value of the family; labels are names and values in turn.
func (t *text) sample(value float64, labels ...string) {
	pairs := make([]string, 0, len(labels)/2)
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+escape.Replace(labels[i+1])+`"`)
	}
	t.WriteString(t.name)
	if len(pairs) > 0 {
		t.WriteString("{" + strings.Join(pairs, ",") + "}")
	}
	t.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

// escape is for the value of a label.
var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

package config

import "regexp"

// nameForm is what a name may be. Its length stands beside the expression: a bound in
// it is compiled as so many copies, at each start of each command.
type nameForm struct {
	*regexp.Regexp
	most int // bytes
}

func form(expression string, most int) nameForm {
	return nameForm{regexp.MustCompile(`^` + expression + `$`), most}
}

func (f nameForm) fits(name string) bool { return len(name) <= f.most && f.MatchString(name) }

package main

import "strings"

func cp(options ...string) contender {
	argv := append([]string{"cp", "--reflink=auto"}, options...)
	return contender{name: "`" + strings.Join(argv, " ") + "`", needs: []string{"cp"}, argv: func(t *tree) []string {
		return append(argv[:len(argv):len(argv)], t.dir, t.dest())
	}}
}

func rsync() contender {
	return contender{name: "`rsync -a`", needs: []string{"rsync"}, argv: func(t *tree) []string {
		return []string{"rsync", "-a", t.dir + "/", t.dest()}
	}}
}

func tarPipe() contender {
	return contender{name: "`tar` pipe", needs: []string{"tar"}, argv: func(t *tree) []string {
		return []string{"sh", "-c", `mkdir "$2" && tar -C "$1" -c . | tar -C "$2" -xp`, "sh", t.dir, t.dest()}
	}}
}

func rm() contender {
	return contender{name: "`rm -rf`", needs: []string{"rm"}, argv: func(t *tree) []string {
		return []string{"rm", "-rf", t.dest()}
	}}
}

func chmodRm() contender {
	return contender{name: "`chmod -R u+rwx && rm -rf`", needs: []string{"chmod", "rm"}, argv: func(t *tree) []string {
		return []string{"sh", "-c", `chmod -R u+rwx "$1" && rm -rf "$1"`, "sh", t.dest()}
	}}
}

func sha256sum() contender {
	return contender{name: "`find -exec sha256sum {} +`", needs: []string{"find", "sha256sum"}, argv: func(t *tree) []string {
		return []string{"find", t.dir, "-type", "f", "-exec", "sha256sum", "{}", "+"}
	}}
}

package launch

func program(args []string) int { return 97 }
func daemon(args []string) int { return 97 }

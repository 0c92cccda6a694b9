package launch
import "testing"
func containerSuite(t *testing.T, open opener) {}

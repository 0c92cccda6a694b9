package bundle

import (
	"context"
	"os"
	"testing"
)

func TestCheckIDs(t *testing.T) {
	ids := IDMap{
		UIDs: []IDRange{{0, uint32(os.Getuid()), 1}, {1, 100000, 65536}},
		GIDs: []IDRange{{0, uint32(os.Getgid()), 1}, {1, 100000, 65536}},
	}
	if err := CheckIDs(context.Background(), helperOptions().Helper, ids); err != nil {
		t.Fatal(err)
	}
}

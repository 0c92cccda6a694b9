package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatewayd/gatewayd/internal/launch"
	"github.com/gatewayd/gatewayd/pkg/bundle"
)

func digestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "digest PATH",
		Short: "Print the digest of a packaged tree",
		Long: `Digest reads every file below the directory PATH and prints one line, sha256:…,
that is the same for each run and for each faithful copy: it covers names, types,
modes, link targets and contents, but no owners, times and extended attributes.
As the key "digest" of a gateway it pins the tree: another one does not start.
Of a bundle it is the rootfs that counts.`,
		Example: "  gatewayd digest /usr/lib/web/rootfs",
		Args:    exactArgs("PATH"),
		RunE: func(command *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if args[0] == "" {
				return usageError{errors.New("digest: PATH is empty")}
			}
			return digest(ctx, command.OutOrStdout(), args[0])
		},
	}
}

func digest(ctx context.Context, w io.Writer, path string) error {
	survey, err := examineWhole(ctx, path)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, survey.Digest)
	return err
}

// examineWhole trusts no cache: others are compared with what it finds. Where
// the user alone is not let in, as by what an image's own users own and no one
// else may read, the user's subordinate ids may be.
func examineWhole(ctx context.Context, path string) (*bundle.Survey, error) {
	options := bundle.SurveyOptions{
		Content: bundle.ContentAll,
		IDs:     bundle.SingleID(os.Geteuid(), os.Getegid()),
		Helper:  launch.Helper,
	}
	survey, err := bundle.Examine(ctx, path, options)
	if !errors.Is(err, fs.ErrPermission) {
		return survey, err
	}
	ids, noRange := launch.RangeIDs()
	if noRange != nil {
		return nil, err // about the path, which is what was asked for
	}
	options.IDs = ids
	return bundle.Examine(ctx, path, options)
}

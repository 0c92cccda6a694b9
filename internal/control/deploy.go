package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DeployRequest says what to deploy and when the answer is due.
type DeployRequest struct {
	// Rootfs or Bundle is the absolute path of the source; neither: what the
	// configuration says.
	Rootfs string `json:"rootfs,omitempty"`
	Bundle string `json:"bundle,omitempty"`
	// Canary is the percentage of new connections that the new launch gets at
	// first, for CanaryFor. Nil: what the configuration says.
	Canary    *int     `json:"canary,omitempty"`
	CanaryFor Duration `json:"canary_for,omitempty"`
	// Wait has the answer wait until the new launch has proved itself, not only
	// until it serves.
	Wait bool `json:"wait,omitempty"`
}

// Deployed is the answer to a deploy and to a rollback.
type Deployed struct {
	Revision string `json:"revision"` // that serves now
	Source   string `json:"source"`   // its rootfs or bundle
	// Ended is the source that the configuration does not name and that a deploy
	// without one has put aside.
	Ended string `json:"ended,omitempty"`
}

// RollbackRequest says when the answer is due, as in DeployRequest.
type RollbackRequest struct {
	Wait bool `json:"wait,omitempty"`
}

// Revision is one entry of a gateway's history.
type Revision struct {
	Revision string    `json:"revision"`
	When     time.Time `json:"when"`
	Why      string    `json:"why"`
	State    string    `json:"state"` // serving, served, failed, rolled back, interrupted, under way
	Cause    string    `json:"cause,omitempty"`
	Source   string    `json:"source"`
	Digest   string    `json:"digest,omitempty"`
	Differs  bool      `json:"differs"` // from what the configuration said
}

// History is what GET …/history answers, the oldest revision first.
type History struct {
	Revisions []Revision `json:"revisions"`
}

// Deploy returns when the new revision serves, or has proved itself. An *Error
// with CodeRolledBack: it served and did not last. When ctx ends first the
// deploy goes on.
func (c *Client) Deploy(ctx context.Context, name string, request DeployRequest) (Deployed, error) {
	var answer Deployed
	err := c.send(ctx, http.MethodPost, route(name, "deploy"), request, &answer)
	return answer, err
}

// Rollback is a deploy of the revision that served before.
func (c *Client) Rollback(ctx context.Context, name string, request RollbackRequest) (Deployed, error) {
	var answer Deployed
	err := c.send(ctx, http.MethodPost, route(name, "rollback"), request, &answer)
	return answer, err
}

// History asks for what was deployed of a gateway.
func (c *Client) History(ctx context.Context, name string) (History, error) {
	var answer History
	err := c.do(ctx, http.MethodGet, route(name, "history"), &answer)
	return answer, err
}

func route(name, verb string) string { return "/v1/gateways/" + url.PathEscape(name) + "/" + verb }

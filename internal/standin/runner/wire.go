package runner

// What the runner's programs and the server say to each other. The shapes of
// registration, session, message, acquire, renew and complete follow the real
// protocol's names as far as a job's life needs them; fields that only a
// stand-in has are marked as ours.

// A Grant answers POST /actions/runner-registration.
type Grant struct {
	URL         string `json:"url"`
	Token       string `json:"token"`
	TokenSchema string `json:"token_schema"`
	UseV2Flow   bool   `json:"use_v2_flow"`
}

// GrantRequest asks for a [Grant]; Event is "register" or "remove".
type GrantRequest struct {
	URL   string `json:"url"`
	Event string `json:"runner_event"`
}

// A Label of a runner; Type is "System" or "User" when the runner sends it.
type Label struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// RegisterRequest is the body of POST /actions/runners/register.
type RegisterRequest struct {
	URL             string  `json:"url"`
	GroupID         int64   `json:"group_id"`
	Name            string  `json:"name"`
	Version         string  `json:"version"`
	UpdatesDisabled bool    `json:"updates_disabled"`
	Ephemeral       bool    `json:"ephemeral"`
	Labels          []Label `json:"labels"`
	PublicKey       string  `json:"public_key"`          // PEM, PKIX
	RunnerID        int64   `json:"runner_id,omitempty"` // with Replace
	Replace         bool    `json:"replace,omitempty"`
}

// Registered answers it.
type Registered struct {
	ID            int64         `json:"id"`
	Name          string        `json:"name"`
	Authorization Authorization `json:"authorization"`
}

// Authorization says where and as whom the registered runner signs in.
type Authorization struct {
	AuthorizationURL string `json:"authorization_url"`
	ServerURL        string `json:"server_url"`
	ClientID         string `json:"client_id"`
}

// AccessToken answers POST {authorization_url}.
type AccessToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
}

// Session is the body of POST {server}/session and its answer.
type Session struct {
	SessionID string `json:"sessionId"`
	OwnerName string `json:"ownerName"`
	Agent     Agent  `json:"agent"`
}

// An Agent names the runner that opens a session.
type Agent struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

// A Refusal is the body of every refused call of the session protocol.
type Refusal struct {
	Message string `json:"message"`
	Kind    string `json:"errorKind"`
	RetryMS int64  `json:"retryMs,omitempty"` // ours: how long to wait before the next try
}

// The kinds of refusal.
const (
	KindNotFound   = "RunnerNotFound"
	KindDeprecated = "RunnerVersionTooOld"
	KindConflict   = "SessionConflict"
	KindGone       = "JobGone"
)

// MessageJob is the type of a message that offers a job.
const MessageJob = "RunnerJobRequest"

// A Message answers GET {server}/message.
type Message struct {
	ID   int64  `json:"messageId"`
	Type string `json:"messageType"`
	Body Offer  `json:"body"`
}

// An Offer names a job to acquire, and where.
type Offer struct {
	RequestID     string `json:"runner_request_id"`
	RunServiceURL string `json:"run_service_url"`
}

// JobRef is the body of acknowledge, acquirejob, renewjob and workerstarted.
type JobRef struct {
	JobID string `json:"jobId"`
	PID   int    `json:"pid,omitempty"` // ours: of the worker, with workerstarted
}

// JobMessage answers POST {run}/acquirejob: the job itself.
type JobMessage struct {
	RequestID   int64             `json:"requestId"`
	JobID       string            `json:"jobId"`
	PlanID      string            `json:"planId"`
	DisplayName string            `json:"jobDisplayName"`
	Repository  string            `json:"repository"` // OWNER/REPO
	Workflow    string            `json:"workflow"`
	RunID       int64             `json:"runId"`
	RunAttempt  int               `json:"runAttempt"`
	Script      string            `json:"script"`  // ours: run by bash -e
	SleepMS     int64             `json:"sleepMs"` // ours: how long the job sleeps after its script
	Env         map[string]string `json:"env"`
	RenewMS     int64             `json:"renewMs"` // ours: time between renewals
	SpawnMS     int64             `json:"spawnMs"` // ours: how long the worker takes to be there

	// What the worker needs to report by itself; the real one gets an endpoint.
	RunServiceURL string `json:"runServiceUrl,omitempty"`
	Authorization string `json:"authorization,omitempty"`
}

// Results of a job, as the console spells them.
const (
	Succeeded = "Succeeded"
	Failed    = "Failed"
	Canceled  = "Canceled"
	Abandoned = "Abandoned"
)

// Completion is the body of POST {run}/completejob. The worker sends it, and
// tells its listener; of a job that never had a worker, or whose worker died,
// the listener sends it.
type Completion struct {
	JobID   string `json:"jobId"`
	Result  string `json:"conclusion"`
	Log     string `json:"log,omitempty"`     // ours: what the steps printed
	Summary string `json:"summary,omitempty"` // ours: GITHUB_STEP_SUMMARY's text
	Reason  string `json:"reason,omitempty"`  // ours: why it did not succeed
	Died    bool   `json:"died,omitempty"`    // ours: the worker ended without a report
}

// Package standin is what plays GitHub where GitHub must not be touched: one
// server that answers as api.github.com, github.com (with the host that its
// release downloads redirect to), a GHES host and the service that hands jobs
// to runners; a runner package whose programs behave as the real ones can be
// observed to; and the Debian packages, the apt repository and the JDK archive
// that a benchmark host takes from elsewhere.
//
// A test starts a server with [Start], sets the world with its methods
// ([Server.AddRunner], [Server.AddWorkflow], [Server.Enqueue], [Server.Fail]) and reads back what
// happened ([Server.Requests], [Server.Jobs], [Server.Violations]).
//
// Answers and callers' requests are checked against GitHub's own description
// by the [Checker] a test injects (package openapi has it). What that
// description lacks is one table, [Beyond], with the source of each shape. A
// request to an endpoint in neither is a violation.
package standin

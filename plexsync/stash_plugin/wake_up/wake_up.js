// Stash runs this script in its own process after each change, and the save waits for it: it compiles the script anew each
// time, so the script is short and has no pattern. It writes one log line at the level Trace, which wakes PlexSync's worker,
// such as "PlexSync edit scene 12 update". It must be valid ECMAScript 5. Its value is the plugin's answer.
"use strict";

// PlexSync's own writes to Stash carry this mark and wake nobody. `cause` is what the request said, or a list of it.
function isOwn(cause) {
  var first = cause && typeof cause !== "string" && cause.length > 0 ? cause[0] : cause;
  return !!first && String(first.clientMutationId) === "plexsync";
}

function tell(made) {
  var words = made.type.toLowerCase().split(".");
  log.Trace("PlexSync edit " + words[0] + " " + made.id + " " + words[1]);
}

var change = input.Args.hookContext;
if (change && !isOwn(change.input)) {
  tell(change);
}
({ Error: null });

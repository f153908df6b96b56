// Explained in PlexSyncWakeUp.yml
"use strict";
var change = input.Args.hookContext, cause = change.input, ids = cause && cause.ids;
var first = cause && !ids && cause[0] || cause;
if (!first || first.clientMutationId != "plexsync") {
  log.Trace("PlexSync edit " + change.type + " " + change.id);
  if (!ids || ids[0] == change.id) {
    new Function("server", "change", input.Args.start)(input.ServerConnection, change);
  }
}
({ Error: null });

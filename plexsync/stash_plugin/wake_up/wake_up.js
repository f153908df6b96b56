// Stash runs this script in its own process after each change, and the save waits for it. It writes one log line at the
// level Trace, which wakes PlexSync's worker. The script must be valid ECMAScript 5. Its value is the plugin's answer.
"use strict";

(function () {
  var EVENT = /^(Scene|Performer|Studio|Tag|Group)\.(Create|Update|Destroy|Merge)\.Post$/;
  // PlexSync's own writes to Stash carry this mark and wake nobody.
  var OWN = "plexsync";

  // Whether PlexSync made the change. `input` is what the request said, or a list of it.
  function isOwn(input) {
    var first = input && typeof input !== "string" && input.length > 0 ? input[0] : input;
    return !!first && String(first.clientMutationId) === OWN;
  }

  // Write the line for a change, such as "PlexSync edit scene 12 update".
  function tell(change) {
    var event = EVENT.exec(String(change.type));
    if (event && !isOwn(change.input)) {
      log.Trace("PlexSync edit " + event[1].toLowerCase() + " " + change.id + " " + event[2].toLowerCase());
    }
  }

  var change = input.Args.hookContext;
  if (change) {
    tell(change);
  }
  return { Output: null, Error: null };
})();

// Stash runs this script in its own process after each change, and the save waits for it. It writes one log line at the
// level Trace, which wakes PlexSync's worker. Once for each request it also looks whether a worker runs that should run,
// and has one started if not. The script must be valid ECMAScript 5. Its value is the plugin's answer.
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

  // Whether this is the only hook of its request, or the first of many.
  function isFirst(change) {
    var cause = change.input;
    if (!cause || typeof cause === "string") {
      return true;
    }
    var named = cause.ids && cause.ids.length > 0 ? cause.ids[0] : cause.length > 0 ? cause[0].id : change.id;
    return String(named) === String(change.id);
  }

  // Whether a worker is switched on, and none runs with Stash's present address: by the directories in which PlexSync
  // shows its signs of life (plexsync/store/life_signs.py). Stash lists a path that is not there as the names that begin like it.
  function isMissed(server) {
    var address = (server.Scheme + "_" + server.Host + "_" + server.Port).replace(/[^A-Za-z0-9]/g, "_");
    var listed = gql.Do("query PlexSyncSigns($path: String!) { directory(path: $path) { directories } }", {
      path: server.Dir + "/plexsync-worker"
    }).directory.directories;
    var wanted = listed.length > 0;
    for (var i = 0; i < listed.length; i += 1) {
      var name = listed[i].replace(/^.*[\/\\]/, "");
      var until = /^plexsync-worker-until-([0-9]+)-(.*)$/.exec(name);
      if (name === address || (until && Number(until[1]) > Date.now() && (!until[2] || until[2] === address))) {
        return false;
      }
    }
    return wanted;
  }

  // Have the worker started, if its plugin is there to do it.
  function wake() {
    var plugins = gql.Do("query PlexSyncThere { plugins { id enabled } }", {}).plugins;
    for (var i = 0; i < plugins.length; i += 1) {
      if (plugins[i].id === "StashPlexSync" && plugins[i].enabled) {
        gql.Do("mutation PlexSyncWake($args: Map!) { runPluginOperation(plugin_id: \"StashPlexSync\", args: $args) }", {
          args: { mode: "wake" }
        });
      }
    }
  }

  var change = input.Args.hookContext;
  if (change) {
    tell(change);
    try {
      if (isFirst(change) && !isOwn(change.input) && isMissed(input.ServerConnection)) {
        wake();
      }
    } catch (error) {
      log.Debug("PlexSync: no worker was started: " + error);
    }
  }
  return { Output: null, Error: null };
})();

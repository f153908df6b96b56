// Stash runs this script in its own process after each change, and the save waits for it: it compiles the script anew each
// time, so the script is short and has no pattern. It writes one log line at the level Trace, which wakes PlexSync's worker,
// such as "PlexSync edit scene 12 update". Once for each request it also looks whether a worker runs that should run, and has
// one started if not. It must be valid ECMAScript 5. Its value is the plugin's answer.
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

// Whether this is the only hook of its request, or the first of many.
function isFirst(made) {
  var cause = made.input;
  if (!cause || typeof cause === "string") {
    return true;
  }
  var first = cause.ids && cause.ids.length > 0 ? cause.ids[0] : cause.length > 0 ? cause[0].id : made.id;
  return String(first) === String(made.id);
}

// Whether a worker is switched on, and none runs with Stash's present address: by the directories in which PlexSync shows
// its signs of life (plexsync/store/life_signs.py). Stash lists a path that is not there as the names that begin like it.
function isMissed(server) {
  var address = (server.Scheme + "_" + server.Host + "_" + server.Port).split(":").join("_");
  var listed = gql.Do("query PlexSyncSigns($path: String!) { directory(path: $path) { directories } }", {
    path: server.Dir + "/plexsync-worker"
  }).directory.directories;
  for (var i = 0; i < listed.length; i += 1) {
    var name = listed[i].split("/").pop().split("\\").pop();
    // As in plexsync-worker-until-1767225600000-http_0.0.0.0_9999.
    var until = name.split("-");
    var whose = until.slice(4).join("-");
    if (name === address || (Number(until[3]) > Date.now() && (!whose || whose === address))) {
      return false;
    }
  }
  return listed.length > 0;
}

// Have the worker started, if its plugin is there to do it. Stash gives a request of a script no session of its own.
function wake(session) {
  var plugins = gql.Do("query PlexSyncThere { plugins { id enabled } }", {}).plugins;
  for (var i = 0; i < plugins.length; i += 1) {
    if (plugins[i].id === "StashPlexSync" && plugins[i].enabled) {
      gql.Do('mutation PlexSyncWake($args: Map!) { runPluginOperation(plugin_id: "StashPlexSync", args: $args) }', {
        args: { mode: "wake", session: session ? { Name: session.Name, Value: session.Value } : null }
      });
    }
  }
}

var change = input.Args.hookContext;
if (change && !isOwn(change.input)) {
  tell(change);
  try {
    if (isFirst(change) && isMissed(input.ServerConnection)) {
      wake(input.ServerConnection.SessionCookie);
    }
  } catch (error) {
    log.Debug("PlexSync: no worker was started: " + error);
  }
}
({ Error: null });

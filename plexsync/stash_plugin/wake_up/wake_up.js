// Stash runs this script in its own process after each change, and the save waits for it. It writes one log line at the
// level Trace, which wakes PlexSync's worker, such as "PlexSync edit scene 12 update". Once for each request it also looks
// whether a worker runs that should run, and has one started if not. Stash compiles the script anew for each of a thousand
// scenes, so it is short, has no pattern, and keeps what only one of them needs as a text. It must be valid ECMAScript 5.
// Its value is the plugin's answer.
"use strict";

// `cause` is what the request said, or a list of it. PlexSync's own writes to Stash carry a mark and wake nobody.
var change = input.Args.hookContext;
var cause = change && typeof change.input === "object" ? change.input : null;
var first = cause && cause.length > 0 ? cause[0] : cause;
if (change && !(first && String(first.clientMutationId) === "plexsync")) {
  var words = change.type.toLowerCase().split(".");
  log.Trace("PlexSync edit " + words[0] + " " + change.id + " " + words[1]);
  // Is this the only hook of its request, or the first of many?
  var named = !cause ? change.id : cause.ids && cause.ids.length > 0 ? cause.ids[0] : first !== cause ? first.id : change.id;
  if (String(named) === String(change.id)) {
    try {
      // A worker is missed if none is switched off, and none runs with Stash's present address: by the directories in which
      // PlexSync shows its signs of life (plexsync/store/life_signs.py), as in
      // plexsync-worker-until-1767225600000-http_0.0.0.0_9999. Stash lists a path that is not there as the names that begin
      // like it. It gives a request of a script no session of its own, so the operation gets that of this one.
      new Function("server", "\
        var address = (server.Scheme + '_' + server.Host + '_' + server.Port).split(':').join('_');\
        var listed = gql.Do('query PlexSyncSigns($path: String!) { directory(path: $path) { directories } }', {\
          path: server.Dir + '/plexsync-worker'\
        }).directory.directories;\
        for (var i = 0; i < listed.length; i += 1) {\
          var name = listed[i].split('/').pop().split('\\\\').pop();\
          var until = name.split('-');\
          var whose = until.slice(4).join('-');\
          if (name === address || name === 'plexsync-worker-off' || (Number(until[3]) > Date.now() && (!whose || whose === address))) {\
            return;\
          }\
        }\
        var plugins = gql.Do('query PlexSyncThere { plugins { id enabled } }', {}).plugins;\
        for (var j = 0; j < plugins.length; j += 1) {\
          if (plugins[j].id === 'StashPlexSync' && plugins[j].enabled) {\
            var session = server.SessionCookie;\
            gql.Do('mutation PlexSyncWake($id: ID!, $args: Map!) { runPluginOperation(plugin_id: $id, args: $args) }', {\
              id: 'StashPlexSync',\
              args: { mode: 'wake', session: session ? { Name: session.Name, Value: session.Value } : null }\
            });\
          }\
        }")(input.ServerConnection);
    } catch (error) {
      log.Debug("PlexSync: no worker was started: " + error);
    }
  }
}
({ Error: null });

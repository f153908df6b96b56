/* Has the worker started when Stash's pages are opened, and each minute while one is, if it is switched on and does not run.
 *
 * PlexSync wake-up does the same for each edit. This is for changes that need no edit, such as new files in Plex, and for an
 * edit that a worker was still there for, which had lost its key or was just being killed. It asks Stash
 * for the signs of life (plexsync/store/files/life_signs.py) and starts no process unless the worker is missing.
 */
(function () {
  "use strict";

  const ASK = {
    folder: "query PlexSyncFolder { configuration { general { configFilePath } } }",
    signs: "query PlexSyncSigns($path: String!) { directory(path: $path) { directories } }",
    wake: 'mutation PlexSyncWake { runPluginOperation(plugin_id: "StashPlexSync", args: { mode: "wake" }) }',
  };
  const PACE = 60000;
  const TIMED = "plexsync-worker-until-";

  async function graphql(query, variables) {
    const answer = await fetch(new URL("graphql", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query, variables }),
    });
    const body = await answer.json();
    if (!body.data) {
      throw new Error("Stash answers " + answer.status);
    }
    return body.data;
  }

  // Whether nothing has to be started: the worker lives, is being started, or is switched off.
  function isSettled(name) {
    return name.startsWith(TIMED)
      ? !name.endsWith("-refused") && Number(name.slice(TIMED.length).split("-")[0]) > Date.now()
      : name === "plexsync-worker-off" || !name.startsWith("plexsync-worker");
  }

  async function look() {
    const file = (await graphql(ASK.folder)).configuration.general.configFilePath;
    const path = file.replace(/[^\\/]*$/, "plexsync-worker");
    const names = (await graphql(ASK.signs, { path })).directory.directories.map((one) => one.split(/[\\/]/).pop());
    if (!names.some(isSettled)) {
      await graphql(ASK.wake);
    }
  }

  function tryToLook() {
    look().catch((error) => console.debug("PlexSync: not looked whether the worker runs: " + error.message));
  }

  tryToLook();
  window.setInterval(() => {
    if (document.visibilityState === "visible") {
      tryToLook();
    }
  }, PACE);
})();

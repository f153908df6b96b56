/* As little of Stash's pages as the plugin's script needs: React's words, the patch points, a router and a scene page.
 *
 * Every change of a state draws everything anew; states, effects and nodes belong to a place in the tree. What is drawn as
 * before stays the same node, so a click or the focus is not lost because something else on the page changes meanwhile.
 */
(function () {
  "use strict";
  const Fragment = Symbol("Fragment");
  const kept = new Map();
  let seen = new Set();
  let effects = [];
  let at = null;
  let planned = false;
  let root = null;
  let draw = () => null;

  function createElement(type, props, ...children) {
    const own = Object.assign({}, props);
    if (children.length) {
      own.children = children.length === 1 ? children[0] : children;
    }
    return { type, props: own, key: own.key };
  }

  function again() {
    if (!planned) {
      planned = true;
      window.setTimeout(render, 0);
    }
  }

  function render() {
    planned = false;
    seen = new Set();
    effects = [];
    const made = document.createDocumentFragment();
    put(draw(), made, "root");
    settle(root, made);
    for (const [path, part] of kept) {
      if (!seen.has(path)) {
        kept.delete(path);
        part.hooks.forEach((hook) => hook.clean && hook.clean());
      }
    }
    effects.forEach((run) => run());
  }

  // The children of `there` become those of `drawn`; a node that is drawn at the same place stays.
  function settle(there, drawn) {
    const news = new Map([...drawn.childNodes].map((node) => [node.place, node]));
    for (const node of [...there.childNodes]) {
      const same = news.get(node.place);
      if (!same || same.nodeName !== node.nodeName) {
        node.remove();
      }
    }
    const stay = new Map([...there.childNodes].map((node) => [node.place, node]));
    let next = there.firstChild;
    for (const node of news.values()) {
      const made = stay.has(node.place) ? renew(stay.get(node.place), node) : node;
      if (made === next) {
        next = next.nextSibling;
      } else {
        there.insertBefore(made, next);
      }
    }
  }

  function renew(node, drawn) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (node.data !== drawn.data) {
        node.data = drawn.data;
      }
      return node;
    }
    node.given.filter((name) => !drawn.hasAttribute(name)).forEach((name) => node.removeAttribute(name));
    node.given = drawn.given;
    for (const { name, value } of drawn.attributes) {
      if (node.getAttribute(name) !== value) {
        node.setAttribute(name, value);
      }
    }
    for (const name of Object.keys({ ...node.heard, ...drawn.heard })) {
      hear(node, name, drawn.heard[name]);
    }
    settle(node, drawn);
    for (const name of ["value", "checked"]) {
      if (name in drawn.controlled && node[name] !== drawn.controlled[name]) {
        node[name] = drawn.controlled[name];
      }
    }
    return node;
  }

  function hear(node, name, deed) {
    if (!(name in node.heard)) {
      node.addEventListener(name, (event) => node.heard[name] && node.heard[name](event));
    }
    node.heard[name] = deed;
  }

  function put(node, into, path) {
    if (node === null || node === undefined || typeof node === "boolean") {
      return;
    }
    if (Array.isArray(node)) {
      node.forEach((one, n) => put(one, into, path + "/" + (one && one.key !== undefined ? "k" + one.key : n)));
      return;
    }
    if (typeof node !== "object") {
      const text = document.createTextNode(String(node));
      text.place = path;
      into.append(text);
      return;
    }
    if (node.type === Fragment) {
      put(node.props.children, into, path + "/f");
    } else if (typeof node.type === "string") {
      into.append(tag(node, path));
    } else {
      component(node, into, path + "/" + (node.type.name || "c"));
    }
  }

  function tag(node, path) {
    const made = document.createElement(node.type);
    Object.assign(made, { place: path, heard: {}, controlled: {} });
    for (const [name, value] of Object.entries(node.props)) {
      if (name === "children" || name === "key" || value === undefined || value === null || value === false) {
        continue;
      }
      if (name === "onChange" && node.props.value !== undefined) {
        hear(made, "input", value);
      } else if (name.startsWith("on")) {
        hear(made, name.slice(2).toLowerCase(), value);
      } else if (name === "style") {
        Object.assign(made.style, value);
      } else if (name === "className") {
        made.className = value;
      } else if (name === "checked" || name === "value") {
        continue;
      } else {
        made.setAttribute(name, value === true ? "" : value);
      }
    }
    made.given = made.getAttributeNames();
    put(node.props.children, made, path + "/" + node.type);
    for (const name of ["value", "checked"]) {
      if (node.props[name] !== undefined) {
        made.controlled[name] = made[name] = node.props[name];
      }
    }
    return made;
  }

  function component(node, into, path) {
    seen.add(path);
    if (!kept.has(path)) {
      kept.set(path, { hooks: [], self: null });
    }
    const part = kept.get(path);
    if (node.type.prototype instanceof Component) {
      part.self = part.self || new node.type(node.props);
      part.self.props = node.props;
      const inner = document.createDocumentFragment();
      try {
        put(part.self.render(), inner, path);
      } catch (error) {
        part.self.state = node.type.getDerivedStateFromError(error);
        put(part.self.render(), inner, path);
      }
      into.append(inner);
      return;
    }
    const before = at;
    at = { part, n: 0 };
    const told = node.type(node.props);
    at = before;
    put(told, into, path);
  }

  function hook(first) {
    const { part, n } = at;
    at.n += 1;
    if (!part.hooks[n]) {
      part.hooks[n] = first();
    }
    return part.hooks[n];
  }

  function differ(before, now) {
    return !before || !now || before.some((one, n) => !Object.is(one, now[n]));
  }

  class Component {
    constructor(props) {
      this.props = props;
      this.state = {};
    }
  }

  const React = {
    createElement,
    Fragment,
    Component,
    useState(first) {
      const mine = hook(() => ({ value: first }));
      mine.set = mine.set || ((value) => { mine.value = value; again(); });
      return [mine.value, mine.set];
    },
    useRef(first) {
      return hook(() => ({ current: first }));
    },
    useCallback(deed, on) {
      const mine = hook(() => ({}));
      if (differ(mine.on, on)) {
        mine.on = on;
        mine.deed = deed;
      }
      return mine.deed;
    },
    useEffect(deed, on) {
      const mine = hook(() => ({}));
      if (differ(mine.on, on)) {
        effects.push(() => {
          if (mine.clean) {
            mine.clean();
          }
          mine.on = on;
          mine.clean = deed();
        });
      }
    },
  };

  // --- Stash ----------------------------------------------------------------------------------------------------------

  const patches = new Map();
  const lacks = new Set((new URLSearchParams(location.search).get("lacks") || "").split(","));
  const routes = [];
  let open = "details";

  function Point({ name, args }) {
    const found = (lacks.has(name) ? [] : patches.get(name) || []).reduce((props, patch) => patch(props)[0], args);
    return createElement(Fragment, null, found.children);
  }

  const Link = ({ to, children }) => createElement("a", { href: "?at=" + encodeURIComponent(to) }, children);
  const Tab = { Pane: ({ eventKey, children }) => (open === eventKey ? createElement("div", { role: "tabpanel" }, children) : null) };
  const Nav = {
    Item: ({ children }) => createElement("li", null, children),
    Link: ({ eventKey, children }) => createElement("button", { type: "button", onClick: () => { open = eventKey; again(); } }, children),
  };

  window.PluginApi = {
    React,
    libraries: { ReactRouterDOM: { Link }, Bootstrap: lacks.has("Bootstrap") ? undefined : { Nav, Tab } },
    patch: {
      before(name, patch) {
        patches.set(name, [...(patches.get(name) || []), patch]);
      },
    },
    register: lacks.has("register") ? undefined : { route: (path, part) => routes.push([path, part]) },
  };

  window.startStash = function () {
    root = document.getElementById("root");
    const where = new URLSearchParams(location.search).get("at") || "/";
    const scene = /^\/scenes\/(\d+)$/.exec(where);
    draw = () =>
      createElement(
        Fragment,
        null,
        createElement("nav", null, createElement(Point, { key: "nav", name: "MainNavBar.UtilityItems", args: { children: "Stash " } })),
        routes.filter(([path]) => path === where).map(([path, Part]) => createElement(Part, { key: path })),
        scene && createElement("ul", null, createElement(Point, { name: "ScenePage.Tabs", args: { scene: { id: scene[1] }, children: createElement(Nav.Item, null, "Details") } })),
        scene && createElement(Point, { name: "ScenePage.TabContent", args: { scene: { id: scene[1] }, children: null } }),
        where === "/settings" && [1, 2].map((n) => createElement("section", { key: n }, createElement(Point, { name: "SettingsToolsSection", args: { children: "Tools" } }))),
        createElement("footer", null, "Stash is whole")
      );
    render();
  };
})();

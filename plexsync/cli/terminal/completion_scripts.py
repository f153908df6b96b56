"""The shell completion scripts. Names that never change are part of the script itself.

So completing them runs no program; only for scene numbers and Plex servers the script calls PlexSync, which just reads
the database or the settings file. The scripts are generated from the commands, so they can't name a missing one.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import click

# The kind of a value that is no list of words: a file, or a list that the program provides.
FILE, NOTHING = "file", ""
LONGEST_HELP = 100
HEAD = "# Completes plexsync in {name}. Made by: plexsync completion {name}"


@dataclass(frozen=True)
class Value:
    """The possible values of an argument or option: one of `words`, a file, or what the program lists."""

    words: tuple[str, ...] = ()
    kind: str = NOTHING
    many: bool = False


@dataclass(frozen=True)
class Option:
    """An option by all its names; `value` is None for a switch."""

    names: tuple[str, ...]
    help: str
    value: Value | None


@dataclass(frozen=True)
class Node:
    """A command by its path (`/dlq/list`), with its options and arguments."""

    place: str
    commands: tuple[tuple[str, str], ...]
    options: tuple[Option, ...]
    values: tuple[Value, ...]


def nodes(command: click.Command, context: click.Context, place: str = "") -> Iterator[Node]:
    """Yield a command and all its subcommands."""
    below: list[tuple[str, click.Command]] = []
    if isinstance(command, click.Group):
        names = command.list_commands(context)
        below = [(name, subcommand) for name in names if (subcommand := command.get_command(context, name)) is not None]
    params = [param for param in command.get_params(context) if not getattr(param, "hidden", False)]
    yield Node(
        place,
        tuple((name, subcommand.get_short_help_str(LONGEST_HELP)) for name, subcommand in below),
        tuple(_option(param) for param in params if isinstance(param, click.Option)),
        tuple(_value(param) for param in params if isinstance(param, click.Argument)),
    )
    for name, subcommand in below:
        yield from nodes(subcommand, click.Context(subcommand, parent=context, info_name=name), f"{place}/{name}")


def _option(param: click.Option) -> Option:
    text = (param.help or "").replace("\n", " ").partition(". ")[0].rstrip(".")
    switch = param.is_flag or param.count
    return Option((*param.opts, *param.secondary_opts), text, None if switch else _value(param))


def _value(param: click.Parameter) -> Value:
    many = param.nargs == -1
    if isinstance(param.type, click.Choice):
        return Value(tuple(map(str, param.type.choices)), many=many)
    if isinstance(param.type, click.Path):
        return Value(kind=FILE, many=many)
    asks = getattr(getattr(param, "_custom_shell_complete", None), "__name__", NOTHING)
    return Value(kind=asks, many=many)


# --- bash and zsh ----------------------------------------------------------------------------------------------------

WALK = """\
    for ((i = {first}; i < {upto}; i++)); do
        word="${{{words}[i]}}"
        if [[ "$word" == "=" ]]; then continue; fi
        if [[ -n "$skip" ]]; then skip=""; continue; fi
        case "$at/$word" in
            {places}) at="$at/$word" ;;
            {valued}) skip="$word" ;;
            */-*) ;;
            *) count=$((count + 1)) ;;
        esac
    done
    if [[ -n "$skip" ]]; then
        case "$at/$skip" in
{values}
        esac
    elif [[ "$cur" == -* ]]; then
        case "$at" in
{options}
        esac
    else
        case "$at $count" in
{arguments}
        esac
    fi
"""
BASH = """\
{head}
_plexsync_completion() {{
    local cur="${{COMP_WORDS[COMP_CWORD]}}" at="" count=0 skip="" kind="" i word list=()
    COMPREPLY=()
    if [[ "$cur" == "=" ]]; then cur=""; fi
{walk}
    case "$kind" in
        list) while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "${{list[*]}}" -- "$cur") ;;
        file) compopt -o default 2> /dev/null ;;
        ?*) while IFS=$'\\t' read -r word _; do COMPREPLY+=("$word"); done \\
            < <(_PLEXSYNC_COMPLETE="$kind" "$1" "${{COMP_WORDS[@]:1:COMP_CWORD}}" 2> /dev/null) ;;
    esac
}}
complete -o nosort -F _plexsync_completion plexsync
"""
ZSH = """\
#compdef plexsync
{head}
_plexsync_completion() {{
    local cur="${{words[CURRENT]}}" at="" count=0 skip="" kind="" i word
    local -a list rows
{walk}
    case "$kind" in
        list) _describe -V plexsync list ;;
        file) _files ;;
        ?*) rows=("${{(@f)$(_PLEXSYNC_COMPLETE="$kind" "${{words[1]}}" "${{(@)words[2,CURRENT]}}" 2> /dev/null)}}")
            list=()
            for word in "${{rows[@]}}"; do
                if [[ -n "$word" ]]; then list+=("${{${{word%%$'\\t'*}}//:/\\\\:}}:${{word#*$'\\t'}}"); fi
            done
            _describe -V plexsync list ;;
    esac
}}
if [[ "$zsh_eval_context[-1]" == "loadautofunc" ]]; then
    _plexsync_completion "$@"
else
    compdef _plexsync_completion plexsync
fi
"""


def _bash_list(rows: Sequence[tuple[str, str]]) -> str:
    return f"kind=list; list=({' '.join(shlex.quote(word) for word, _ in rows)})"


def _zsh_list(rows: Sequence[tuple[str, str]]) -> str:
    items = (shlex.quote(f"{word.replace(':', chr(92) + ':')}{':' + text if text else ''}") for word, text in rows)
    return f"kind=list; list=({' '.join(items)})"


def _walk(tree: Sequence[Node], listed: Callable[[Sequence[tuple[str, str]]], str], **shell: str) -> str:
    """The common part for bash and zsh: the position on the command line, and what can follow there."""

    def offered(value: Value) -> str:
        return listed([(word, "") for word in value.words]) if value.words else f"kind={value.kind}"

    places = "|".join(f'"{node.place}"' for node in tree if node.place)
    everywhere, values, options, arguments = _valued_everywhere(tree), dict[str, None](), [], []
    valued = {f'*"/{name}"': None for name in everywhere}
    for node in tree:
        rows = []
        for option in node.options:
            rows += [(name, option.help) for name in option.names if name.startswith("--")]
            if option.value is None:
                continue
            shared = everywhere.issuperset(option.names)
            names = "|".join(f'*"/{name}"' if shared else f'"{node.place}/{name}"' for name in option.names)
            valued[names] = None
            if option.value.words or option.value.kind:
                values[f"            {names}) {offered(option.value)} ;;"] = None
        options.append(f'            "{node.place}") {listed(rows)} ;;')
        if node.commands:
            arguments.append(f'            "{node.place} "*) {listed(node.commands)} ;;')
        for number, value in enumerate(node.values):
            if value.words or value.kind:
                at = f'"{node.place} "*' if value.many else f'"{node.place} {number}"'
                arguments.append(f"            {at}) {offered(value)} ;;")
    return WALK.format(
        places=places,
        valued="|".join(valued),
        values="\n".join(values),
        options="\n".join(options),
        arguments="\n".join(arguments),
        **shell,
    ).rstrip("\n")


def _valued_everywhere(tree: Sequence[Node]) -> set[str]:
    """The options that take a value in any command."""
    names = ({name for option in node.options if option.value is not None for name in option.names} for node in tree)
    return set.intersection(*names)


def bash(tree: Sequence[Node]) -> str:
    """The script for bash."""
    walk = _walk(tree, _bash_list, first="1", upto="COMP_CWORD", words="COMP_WORDS")
    return BASH.format(head=HEAD.format(name="bash"), walk=walk)


def zsh(tree: Sequence[Node]) -> str:
    """The script for zsh."""
    walk = _walk(tree, _zsh_list, first="2", upto="CURRENT", words="words")
    return ZSH.format(head=HEAD.format(name="zsh"), walk=walk)


# --- fish ------------------------------------------------------------------------------------------------------------

FISH = """\
{head}
function __plexsync_at
    set -l at ""
    set -l skip 0
    set -l count 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch "$at/$word"
            case {places}
                set at "$at/$word"
            case {valued}
                set skip 1
            case '*/-*'
            case '*'
                set count (math $count + 1)
        end
    end
    test "$at" = "$argv[1]"; and begin
        not set -q argv[2]; or begin
            test $skip = 0; and contains -- $argv[2] any $count
        end
    end
end
function __plexsync_rows
    env _PLEXSYNC_COMPLETE=$argv[1] plexsync (commandline -opc)[2..-1] (commandline -ct) 2> /dev/null
end
complete -c plexsync -f
{lines}
"""


def fish(tree: Sequence[Node]) -> str:
    """The script for fish."""
    everywhere = _valued_everywhere(tree)
    valued = {
        f"'*/{name}'" if name in everywhere else f"'{node.place}/{name}'": None
        for node in tree
        for option in node.options
        if option.value is not None
        for name in option.names
    }
    return FISH.format(
        head=HEAD.format(name="fish"),
        places=" ".join(f"'{node.place}'" for node in tree if node.place),
        valued=" ".join(valued),
        lines="\n".join(line for node in tree for line in _fish_lines(node)),
    )


def _fish_lines(node: Node) -> Iterator[str]:
    at = f"complete -c plexsync -n {_fish_quoted(f'__plexsync_at {_fish_quoted(node.place)}')}"
    for name, text in node.commands:
        where = _fish_quoted(f"__plexsync_at {_fish_quoted(node.place)} any")
        yield f"complete -c plexsync -n {where} -a {name} -d {_fish_quoted(text)}"
    for option in node.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        takes = "" if option.value is None else f" {_fish_value(option.value)}"
        yield f"{at} {names}{takes} -d {_fish_quoted(option.help)}"
    for number, value in enumerate(node.values):
        if value.words or value.kind:
            counted = "any" if value.many else str(number)
            where = _fish_quoted(f"__plexsync_at {_fish_quoted(node.place)} {counted}")
            yield f"complete -c plexsync -n {where} {_fish_value(value).replace('-x ', '').replace('-r ', '')}"


def _fish_value(value: Value) -> str:
    if value.kind == FILE:
        return "-r -F"
    if value.kind:
        return f"-x -a '(__plexsync_rows {value.kind})'"
    return f"-x -a {_fish_quoted(' '.join(value.words))}" if value.words else "-x"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[Sequence[Node]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}

"""The table of actions, and the answers of pairs of a verb and a subject that have no sense."""

from collections.abc import Mapping

from plexsync.actions import collections, decisions, everything, imports, scenes, watching
from plexsync.actions.model import Action, SubjectKind, Unfit, Verb

ACTIONS: tuple[Action, ...] = (
    everything.UNDO,
    everything.RELEASE,
    scenes.UNDO,
    scenes.RELEASE,
    scenes.REDO,
    collections.UNDO,
    collections.RELEASE,
    collections.REDO,
    collections.SYNC,
    collections.HAND_OVER,
    watching.UNDO_PLAYS,
    watching.REDO_PLAYS,
    watching.CHECK_PLAYS,
    watching.UNDO_RESUME,
    watching.REDO_RESUME,
    watching.UNDO_RATINGS,
    imports.UNDO,
    decisions.KEEP_SCENES,
    decisions.TAKE_SCENES,
    decisions.UNKEEP_SCENES,
    decisions.KEEP_COLLECTIONS,
    decisions.TAKE_COLLECTIONS,
    decisions.UNKEEP_COLLECTIONS,
)
TABLE: Mapping[tuple[Verb, SubjectKind], Action] = {(action.verb, action.subject): action for action in ACTIONS}
# What has no lock in Plex that could be kept or taken off.
OTHERS = {
    SubjectKind.PLAYS: "plays",
    SubjectKind.RESUME: "resume points",
    SubjectKind.RATINGS: "ratings that go both ways",
    SubjectKind.IMPORTS: "imports",
}
NO_DECISION = "{} are not kept against Stash: only fields of scenes and parts of collections are"
NO_LOCK = "{} have no lock of PlexSync's to take off: only scenes and collections are released"
NOT_ALL = "everything at once is only taken back or released: say of what"
NOT_AGAIN = "only plays are checked and sent again: others are synced"
SENSELESS: Mapping[tuple[Verb, SubjectKind], str] = {
    **{(verb, SubjectKind.EVERYTHING): NOT_ALL for verb in (Verb.REDO, Verb.KEEP, Verb.TAKE, Verb.UNKEEP)},
    (Verb.REDO, SubjectKind.RATINGS): "a rating that was put back has no redo: rate it again, in Stash or in Plex",
    (
        Verb.REDO,
        SubjectKind.IMPORTS,
    ): "an import that was taken back has no redo: another import fills the fields again",
    **{(Verb.RELEASE, subject): NO_LOCK.format(word) for subject, word in OTHERS.items()},
    **{(Verb.AGAIN, subject): NOT_AGAIN for subject in SubjectKind if subject is not SubjectKind.PLAYS},
    **{
        (verb, subject): NO_DECISION.format(word)
        for verb in (Verb.KEEP, Verb.TAKE, Verb.UNKEEP)
        for subject, word in OTHERS.items()
    },
}


def action_of(verb: Verb, subject: SubjectKind) -> Action:
    """The action. Raises Unfit for a pair without sense."""
    if action := TABLE.get((verb, subject)):
        return action
    raise Unfit(SENSELESS[verb, subject])

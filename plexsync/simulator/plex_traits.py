"""What is not known of real Plex servers: each open question is a switch of the simulated one.

The default is what most sources say. A client has to be right under every combination.
"""

from dataclasses import dataclass
from typing import Literal

TagMode = Literal["add", "replace"]
PeoplePictures = Literal["any", "public", "none"]
PeopleOwn = Literal["shown", "kept", "none"]
RatingByEdit = Literal["account", "item", "none"]
CollectionEdits = Literal["both", "section", "item"]
FileFilter = Literal["exact", "any case", "folder"]
Viewings = Literal["filtered", "sorted", "neither"]
MatchFilename = Literal["relative", "folder", "rooted"]


@dataclass
class Traits:
    """The answers of one server. They may be changed while it runs.

    tag_mode          whether indexed tags of an edit are added to the list or replace it
    mixed_removals    False: removals are lost if the same request also adds tags of that kind
    removals_at_once  the number of removals of one kind that a request can carry, the rest is lost; None: any number
    tags_lock         whether an edit of a list locks it by itself
    cast_on_other     whether items of Other Videos take a cast; else its tags are ignored
    people_pictures   which addresses of people's pictures are taken: any, public ones, or none
    people_own        what becomes of an address on the server itself as the picture of a person: it is kept and loaded for
                      apps, only kept, or ignored
    people_house      whether the server loads pictures from private addresses (`shown`) or not (`kept`)
    people_https      whether the server loads pictures from https addresses (`shown`) or not (`kept`)
    rating_by_edit    what `userRating` in an edit is: the account's rating, one of the item that an account's rating
                      hides, or ignored
    half_stars        whether the rating of an account is kept in halves of a star, and any other is rounded up
    added_by_edit     whether an edit can change `addedAt`
    collection_edits  which form edits collections, by section or by item; the other one answers 404
    members_stamp     whether a collection's stamp changes when items come into it or leave it
    upload_selects    whether an uploaded picture is selected at once
    picture_lag       seconds until an uploaded picture is listed, can be selected, and is selected by its upload
    one_stamp         whether the addresses of pictures carry the item's stamp, so that they change with every edit
    trash_details     the status of details of an item in the trash
    deleted_type      the type of an item that was removed, in the event that says so
    file_filter       what `file=` finds: the exact name, the name in any case, or all items of the file's folder
    viewings          what a library can do by `lastViewedAt`: filter and sort, only sort, or nothing
    viewed_after      whether `viewedAt>` in a request for the history finds only later plays, or also those at that moment
    history_ignores   the parameters of a request for the history that the server does not know: filters, `sort` (it then
                      lists the newest first), `X-Plex-Container-Start`
    history_status    the status of the history, of the accounts and of the sessions: 401 or 403 if the token is not the
                      owner's
    history_lag       seconds after which the history has the row of a play whose player has stopped
    stops_anew        whether a player's last report, that it has stopped, comes under the number of a new session
    registers_by      whether requests about metadata providers may have the token in their header, or must in their query
    agent_ids         how the answers to these write ids: as numbers, or as texts
    other_takes_provider  whether a library of Other Videos can have a metadata provider as its agent
    legacy_agents     whether a library can be given one of the old agents (again)
    match_filename    the name of the file in a question to a provider: below the library's folder, with the name of that
                      folder before it, or with a slash before that
    asks_by           whether language and page of a question to a provider are in its headers, in its query, or, as was
                      seen, in the query where an item is asked for and else in the headers
    refresh_matches   whether a refresh asks for the match anew before it asks for the values
    asks_images       whether a refresh also asks a provider for the list of pictures
    absent_fields     what becomes of a field that a provider does not send, or sends empty
    omitted_tags      what becomes of tags that a provider does not send (any more)
    match_clears      whether a provider's match empties the unlocked fields and lists that another agent has filled
    same_guid         whether two movies of a library whose matches name the same guid become one, with all files, or not
    unknown_key       what becomes of an item whose key the provider answers with 404
    scan_asks_again   whether a scan asks again for items that the provider did not know
    provider_pictures  which addresses of pictures are loaded for a provider
    values_lock       whether an edit of a field locks it by itself
    starting          whether the server still starts: reads are answered, and every write is 400
    claimed           False: the server belongs to no account, and answers 401 to a host name that it does not know
    """

    tag_mode: TagMode = "add"
    mixed_removals: bool = True
    removals_at_once: int | None = None
    tags_lock: bool = True
    cast_on_other: bool = True
    people_pictures: PeoplePictures = "any"
    people_own: PeopleOwn = "shown"
    people_house: Literal["shown", "kept"] = "shown"
    people_https: Literal["shown", "kept"] = "shown"
    rating_by_edit: RatingByEdit = "account"
    half_stars: bool = False
    added_by_edit: bool = True
    collection_edits: CollectionEdits = "both"
    members_stamp: bool = False
    upload_selects: bool = True
    picture_lag: float = 0.0
    one_stamp: bool = False
    trash_details: Literal[200, 404] = 404
    deleted_type: Literal[1, -1] = 1
    file_filter: FileFilter = "exact"
    viewings: Viewings = "filtered"
    viewed_after: Literal["later", "not before"] = "later"
    history_ignores: frozenset[str] = frozenset()
    history_status: Literal[200, 401, 403] = 200
    history_lag: float = 0.0
    stops_anew: bool = False
    registers_by: Literal["header", "query"] = "header"
    agent_ids: Literal["numbers", "texts"] = "numbers"
    other_takes_provider: bool = True
    legacy_agents: bool = True
    match_filename: MatchFilename = "relative"
    asks_by: Literal["as seen", "headers", "query"] = "as seen"
    refresh_matches: bool = False
    asks_images: bool = False
    absent_fields: Literal["kept", "cleared"] = "kept"
    omitted_tags: Literal["kept", "removed"] = "kept"
    match_clears: bool = False
    same_guid: Literal["merged", "apart"] = "merged"
    unknown_key: Literal["kept", "unmatched"] = "kept"
    scan_asks_again: bool = False
    provider_pictures: Literal["public", "any"] = "public"
    values_lock: bool = False
    starting: bool = False
    claimed: bool = True

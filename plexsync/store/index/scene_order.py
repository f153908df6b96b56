"""Lists of scenes in an order, a page at a time: statements for ids become statements for places in the order.

By number, the index that finds the ids gives the order too. No index has the titles: SQLite reads the titles of the whole
list for a page and keeps the first of them.
"""

from plexsync.rules.record_class import record
from plexsync.rules.records import LAST_ID
from plexsync.rules.words.sorting import COMPARED, NUMBER, ScenePlace, Sort

TITLE = "title"
# What a scene is sorted by: its title, else the path of its file; as far as `compared` compares it.
NAME = f"substr(case when shown.title <> '' then shown.title else shown.path end, 1, {COMPARED})"
HAS_NAME = "(shown.title <> '' or shown.path <> '')"
NAMED = f"{NAME} collate nocase"
_JOB = "select 1 from job where job.kind = 'scene' and job.id = {id}"
_JOIN_JOB = " left join job on job.kind = 'scene' and job.id = listed.id"


@record
class Ids:
    """A statement for ids that ends in a condition, and the name of their column in it. `jobless`: those without a job."""

    sql: str
    column: str = "id"
    jobless: bool = False

    def in_order(self, sort: Sort) -> str:
        """The same scenes in this order, for the values of `bounds`: their ids by number; (name, id) by title.

        By title, scenes without any name are left out.
        """
        if sort.column == TITLE:
            return self._title_query(*(("<", ">", " desc") if sort.down else (">", "<", "")))
        return f"{self._between} order by {self.column}{' desc' if sort.down else ''} limit :limit"

    @property
    def nameless(self) -> str:
        """Those without any name by number, for the values of `bounds`."""
        named = f"select 1 from shown where shown.scene = {self.column} and {HAS_NAME}"
        return f"{self._between} and not exists ({named}) order by {self.column} limit :limit"

    @property
    def _between(self) -> str:
        jobless = f" and not exists ({_JOB.format(id=self.column)})" if self.jobless else ""
        return f"{self.sql} and {self.column} > :low and {self.column} <= :high{jobless}"

    def _title_query(self, behind: str, before: str, way: str) -> str:
        # A job is looked for last, and only for what is on the page.
        join, jobless = (_JOIN_JOB, " and job.id is null") if self.jobless else ("", "")
        return f"""
select {NAME} as name, listed.id from ({self.sql}) as listed join shown on shown.scene = listed.id{join}
 where {HAS_NAME} and (:first or ({NAMED}, listed.id) {behind} (:value collate nocase, :after))
   and (:endless or ({NAMED}, listed.id) {before}= (:last collate nocase, :upto)){jobless}
 order by {NAMED}{way}, listed.id{way} limit :limit
"""


def bounds(sort: Sort, after: ScenePlace | None, upto: ScenePlace | None = None) -> dict[str, object]:
    """The values for a page that begins after one place and ends at the other, if there is one."""
    if sort.column != NUMBER:
        return {
            "first": after is None,
            "value": after.value if after else "",
            "after": after.id if after else 0,
            "endless": upto is None,
            "last": upto.value if upto else "",
            "upto": upto.id if upto else 0,
        }
    low, high = (upto, after) if sort.down else (after, upto)
    below = 1 if sort.down else 0
    return {"low": low.id - below if low else 0, "high": high.id - below if high else LAST_ID}

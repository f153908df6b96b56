"""What happens to the data folder between two workers: copied, and restored from the copy."""

from plexsync.app.database_files import restore_backup, save_backup
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress


def restarted(house, *, between=lambda: None):
    """The worker ends, something happens to the data folder, and another one starts on what is there."""
    house.worker.close()
    house.store.close()
    between()
    house.store = Database(house.folder / "plexsync.db", worker=True)
    house._stack.callback(house.store.close)
    house.replace_worker()


def restored(house, copy):
    restarted(house, between=lambda: restore_backup(StoreAddress(house.folder), copy))


def saved(house):
    copy = house.folder.parent / "copy.db"
    save_backup(StoreAddress(house.folder), copy, replace=True)
    return copy

"""What PlexSync costs, measured: requests, processes, rates."""

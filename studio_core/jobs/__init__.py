"""Long work as jobs: each in a process of its own, with its state and log on disk.

`JobQueue` (queue.py) takes jobs; its thread (follower.py) starts one process for each
(processes.py, worker.py) and follows it; `JobStore` (store.py) keeps what every server and
notebook on one project root may read.
A job outlives the browser, the kernel and, if need be, the server that started it.
"""

from studio_core.jobs.documents import job_document
from studio_core.jobs.job import Job, JobProgress, JobState
from studio_core.jobs.queue import JobQueue
from studio_core.jobs.store import JobStore

__all__ = ["Job", "JobProgress", "JobQueue", "JobState", "JobStore", "job_document"]

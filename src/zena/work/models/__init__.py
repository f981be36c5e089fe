"""Tables of the work slice. Foreign keys point down to `membership`; every one starts with the tenant."""

from zena.work.models.counters import AssigneeStats, DayStats, DueStats, ProjectCounter, ProjectStats
from zena.work.models.imports import BulkChange, ImportRun
from zena.work.models.projects import Label, Project, ProjectMember
from zena.work.models.tasks import Comment, Task, TaskAssignee, TaskDependency, TaskLabel

__all__ = [
    "AssigneeStats",
    "BulkChange",
    "Comment",
    "DayStats",
    "DueStats",
    "ImportRun",
    "Label",
    "Project",
    "ProjectCounter",
    "ProjectMember",
    "ProjectStats",
    "Task",
    "TaskAssignee",
    "TaskDependency",
    "TaskLabel",
]

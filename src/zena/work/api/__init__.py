"""The HTTP API of work. Each route states its permission; the action decides for the object."""

from zena.work.api import bulk, comments, dependencies, imports, labels, project_parts, projects, task_steps, tasks

ROUTES = [
    *projects.ROUTES,
    *project_parts.ROUTES,
    *tasks.ROUTES,
    *task_steps.ROUTES,
    *bulk.ROUTES,
    *dependencies.ROUTES,
    *labels.ROUTES,
    *comments.ROUTES,
    *imports.ROUTES,
]

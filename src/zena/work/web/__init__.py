"""The pages of work: projects, one project as list and board, the task panel, my work, trash, imports."""

from zena.work.web import board, bulk, imports, labels, mine, projects, settings, task_edits, tasks

ROUTES = [
    *projects.ROUTES,
    *board.ROUTES,
    *settings.ROUTES,
    *bulk.ROUTES,
    *labels.ROUTES,
    *tasks.ROUTES,
    *task_edits.ROUTES,
    *mine.ROUTES,
    *imports.ROUTES,
]

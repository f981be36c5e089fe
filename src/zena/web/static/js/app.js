// Starts what a page needs. Every module also works when the others are not there.
import { startBoard } from "./board.js";
import { startBulk } from "./bulk.js";
import { startForms } from "./forms.js";
import { startInline } from "./inline.js";
import { startLive } from "./live.js";
import { startOverlays } from "./overlays.js";
import { meta } from "./page.js";
import { startPeek } from "./peek.js";
import { startPoll } from "./poll.js";
import { startShortcuts } from "./shortcuts.js";
import { startTheme } from "./theme.js";
import { startToasts } from "./toast.js";

document.body.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") event.detail.headers["X-Zena-Token"] = meta("zena-token");
});

startToasts();
startOverlays();
startTheme();
startForms();
startInline();
startShortcuts();
startPeek();
startLive();
startPoll();
startBoard();
startBulk();

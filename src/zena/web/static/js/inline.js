// Editing in place: Enter and leaving save, Escape puts the old text back.
import { dirty } from "./forms.js";

const multiline = (field) => field.tagName === "TEXTAREA";

function save(field) {
  if (dirty(field) && field.form?.getAttribute("aria-busy") !== "true") field.form.requestSubmit();
}

function revert(field) {
  if (field instanceof HTMLSelectElement) for (const option of field.options) option.selected = option.defaultSelected;
  else field.value = field.defaultValue;
}

const inlineField = (event) => (event.target.closest?.("[data-inline]") && event.target.name ? event.target : null);

export function startInline() {
  document.addEventListener("keydown", (event) => {
    const field = inlineField(event);
    if (!field) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      revert(field);
      field.blur();
    } else if (event.key === "Enter" && (!multiline(field) || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      save(field);
    }
  }, true);
  document.addEventListener("focusout", (event) => { const field = inlineField(event); if (field) save(field); });
  document.addEventListener("change", (event) => {
    const field = inlineField(event);
    if (field && (field.matches("select") || (field.type === "date" && document.activeElement !== field))) save(field);
  });
}

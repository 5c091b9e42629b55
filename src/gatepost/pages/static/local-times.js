// Writes times in the reader's own zone; as they come they are in UTC, and say so.
const style = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  time.textContent = style.format(new Date(time.dateTime));
}

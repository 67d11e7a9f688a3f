/* What the page calls: one view a cell, fed by the messages of the kernel. */

/** Ask for everything; again while unanswered, since a kernel that is busy or reconnecting may not hear it. */
function hello(model, store, tries = 5) {
  if (store.heard || !tries) return;
  model.send({ kind: "hello" });
  setTimeout(() => hello(model, store, tries - 1), 2000);
}

export default () => {
  const store = new Store();
  const initialize = ({ model }) => {
    const stored = model.get("snapshot");
    if (stored?.head) store.apply(stored.head, stored.buffers);
    // Where callbacks wait for cells, `hello` is answered after them, and the saved state is all that comes meanwhile.
    model.on("change:snapshot", () => {
      const renewed = model.get("snapshot");
      if (!store.heard && renewed?.head) store.apply(renewed.head, renewed.buffers);
    });
    model.on("msg:custom", (head, buffers) => {
      if (store.accepts(head)) store.apply(head, buffers);
      else if (store.heard) {
        store.heard = false;
        hello(model, store);
      }
    });
    hello(model, store);
  };
  const render = ({ model, el }) => {
    const view = new View(model, store, el);
    return () => view.remove();
  };
  return { initialize, render };
};

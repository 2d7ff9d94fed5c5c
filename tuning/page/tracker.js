// Lets the reader set MLflow's address once: all links that begin with the page's own address follow it.
(() => {
  const form = document.getElementById("tracker");
  const own = form.dataset.address;
  const field = form.elements.address;
  const answer = form.querySelector("output");
  const links = [...document.querySelectorAll("main a[href]")]
    .map(link => ({ link, href: link.getAttribute("href") }))
    .filter(({ href }) => href === own || href.startsWith(own + "/"));
  const key = "mlflow-address " + own;
  const remember = action => { try { return action(localStorage); } catch { return null; } };
  const use = text => {
    const address = text.trim().replace(/[?#].*$/, "").replace(/\/+$/, "");
    if (!/^https?:\/\/[^\s/]+(\/\S*)?$/.test(address) || !URL.canParse(address)) return "";
    for (const { link, href } of links) link.setAttribute("href", address + href.slice(own.length));
    return address;
  };
  form.addEventListener("submit", event => {
    event.preventDefault();
    const address = use(field.value);
    answer.textContent = address
      ? `${links.length} links lead to ${address} now.`
      : "An address must begin with http:// or https://, and name a machine.";
    if (address) remember(store => store.setItem(key, address));
  });
  const before = remember(store => store.getItem(key));
  if (before && use(before)) {
    field.value = before;
    answer.textContent = `${links.length} links lead to ${before}, as set before.`;
  }
  form.hidden = false;
})();

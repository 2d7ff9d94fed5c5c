"use strict";
/* The map of a map's page: tiles and polygons from the page itself, in pixels of the scene's grid, rows downwards. */
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const finest = data.levels - 1; // zoom of the tiles with the grid's own pixels
  const types = { U: "image/webp", "/": "image/jpeg", i: "image/png" }; // by their first bytes as base64
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const narrow = window.matchMedia("(max-width: 44rem)").matches;
  const whole = [[0, 0], [data.height, data.width]];
  const side = fitTile(document.getElementById("map"));
  const crs = L.extend({}, L.CRS.Simple, {
    transformation: new L.Transformation(1, 0, 1, 0),
    scale: (zoom) => (2 ** (zoom - finest) * side) / data.tile,
    zoom: (scale) => Math.log2((scale * data.tile) / side) + finest,
    distance: (a, b) => data.metres * Math.hypot(a.lng - b.lng, a.lat - b.lat),
  });

  /* Side of a tile on the screen, 256 to 511, with which the whole scene fits at a whole zoom: no seams as between scaled tiles. */
  function fitTile(box) {
    document.documentElement.classList.add("live");
    const fit = Math.min(box.clientWidth / data.width, box.clientHeight / data.height);
    return Math.floor(data.tile * 2 ** (Math.log2(fit) - Math.floor(Math.log2(fit)))) || data.tile;
  }

  /* Longitude and latitude of a pixel: bilinear within a cell of the mesh. */
  function locate({ lat: row, lng: column }) {
    if (!data.mesh || row < 0 || column < 0 || row > data.height || column > data.width) return "";
    const cells = data.mesh.cells;
    const x = (column / data.width) * cells;
    const y = (row / data.height) * cells;
    const [left, top] = [x, y].map((at) => Math.min(Math.floor(at), cells - 1));
    const blend = (values) => {
      const at = top * (cells + 1) + left;
      const along = (k) => values[k] + (x - left) * (values[k + 1] - values[k]);
      return along(at) + (y - top) * (along(at + cells + 1) - along(at));
    };
    const longitude = ((((blend(data.mesh.longitude) + 180) % 360) + 360) % 360) - 180;
    return `${blend(data.mesh.latitude).toFixed(5)}, ${longitude.toFixed(5)}`;
  }

  const Tiles = L.GridLayer.extend({
    createTile(place) {
      const number = this.options.tiles[`${finest - place.z}/${place.x}/${place.y}`];
      if (number === undefined) return document.createElement("div");
      const image = document.createElement("img");
      image.alt = "";
      image.src = `data:${types[data.images[number][0]]};base64,${data.images[number]}`;
      return image;
    },
  });

  function addTiles(map, switchable) {
    const order = ["relief", "change", "probability", "nodata"];
    for (const layer of data.layers) {
      const tiles = new Tiles({
        tiles: layer.tiles,
        tileSize: side,
        bounds: whole,
        noWrap: true,
        maxZoom: finest + 3,
        maxNativeZoom: finest - layer.finest,
        zIndex: 1 + order.indexOf(layer.key.replace(/\d+$/, "")),
        className: layer.key === "relief" ? "" : "crisp",
      });
      if (layer.shown) tiles.addTo(map);
      if (layer.switch) switchable[layer.title] = tiles;
    }
  }

  function describe(facts) {
    const box = document.createElement("div");
    const list = document.createElement("dl");
    facts.forEach((value, k) => {
      if (k === 0) {
        const head = document.createElement("strong");
        head.textContent = `Landslide ${value}`;
        box.append(head, list);
        return;
      }
      const [name, shown] = ["dt", "dd"].map((tag) => document.createElement(tag));
      name.textContent = data.columns[k];
      shown.textContent = value;
      list.append(name, shown);
    });
    return box;
  }

  function unpack(steps) {
    const corners = [];
    let [x, y] = [0, 0];
    for (let k = 0; k < steps.length; k += 2) {
      x += steps[k];
      y += steps[k + 1];
      corners.push([y, x]);
    }
    return corners;
  }

  function addLandslides(map, switchable) {
    const renderer = L.canvas({ padding: 0.5, tolerance: 4 });
    const style = { renderer, color: "#1d1147", weight: 1.5, fillColor: "#1d1147", fillOpacity: 0.04 };
    const shapes = data.rings.map((polygons, k) =>
      L.polygon(polygons.map((rings) => rings.map(unpack)), style)
        .bindPopup(() => describe(data.facts[k]), { maxWidth: 320 }),
    );
    switchable.Landslides = L.layerGroup(shapes).addTo(map);
    return shapes;
  }

  function addControls(map, switchable) {
    L.control.layers(null, switchable, { collapsed: narrow, autoZIndex: false }).addTo(map);
    L.control.scale({ imperial: false, maxWidth: 120 }).addTo(map);
    const readout = L.control({ position: "bottomright" });
    readout.onAdd = () => L.DomUtil.create("div", "readout");
    readout.addTo(map);
    const show = (latlng, name) => {
      const text = locate(latlng);
      readout.getContainer().textContent = text && `${name} ${text}${narrow ? "" : " (latitude, longitude)"}`;
    };
    map.on("mousemove click", (event) => show(event.latlng, "pointer"));
    map.on("moveend", () => show(map.getCenter(), "centre"));
    const reset = L.control({ position: "topleft" });
    reset.onAdd = () => {
      const bar = L.DomUtil.create("div", "leaflet-bar");
      const link = L.DomUtil.create("a", "", bar);
      Object.assign(link, { href: "#map", title: "Whole map", textContent: "\u2922" });
      link.setAttribute("role", "button");
      link.setAttribute("aria-label", "Whole map");
      L.DomEvent.disableClickPropagation(bar).on(link, "click", (event) => {
        L.DomEvent.preventDefault(event);
        map.fitBounds(whole);
      });
      return bar;
    };
    reset.addTo(map);
  }

  /* The numbers of the table's first column show their landslide. */
  function linkRows(map, shapes) {
    document.querySelectorAll("#landslides tbody tr").forEach((row, k) => {
      const shape = shapes[k];
      if (!shape) return;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", title: "Show on the map" });
      button.textContent = row.cells[0].textContent;
      row.cells[0].replaceChildren(button);
      button.addEventListener("click", () => {
        map.fitBounds(shape.getBounds(), { maxZoom: finest + 1, animate: false });
        map.getContainer().scrollIntoView({ block: "center", behavior: still ? "auto" : "smooth" });
        map.getContainer().focus({ preventScroll: true }); // Escape closes the popup
        shape.openPopup();
      });
    });
  }

  function start() {
    const map = L.map("map", {
      crs,
      attributionControl: false,
      minZoom: Math.min(0, finest - 1),
      maxZoom: finest + 3,
      maxBounds: L.latLngBounds(whole).pad(0.5),
      scrollWheelZoom: false,
      zoomAnimation: !still,
      fadeAnimation: false,
    });
    const switchable = {};
    map.fitBounds(whole);
    addTiles(map, switchable);
    const shapes = addLandslides(map, switchable);
    addControls(map, switchable);
    linkRows(map, shapes);
    map.fire("moveend");
    map.on("focus", () => map.scrollWheelZoom.enable()); // else the page could not be scrolled past it
    map.on("blur", () => map.scrollWheelZoom.disable());
  }

  try {
    start();
  } catch (error) {
    document.documentElement.classList.remove("live"); // the picture stays
    throw error;
  }
})();

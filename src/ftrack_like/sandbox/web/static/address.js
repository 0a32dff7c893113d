// Lead the addresses of a site's web client to the pages of the sandbox:
// "/#itemId=projects&entityType=show&entityId=…", or with "slideEntityType" and "slideEntityId".

const PAGES = {
  assetversion: "/browse/version/",
  reviewsession: "/browse/review/",
  show: "/browse/context/",
  task: "/browse/context/",
};

function page(values) {
  for (const prefix of ["slideEntity", "entity"]) {
    const folder = PAGES[values.get(`${prefix}Type`)];
    const id = values.get(`${prefix}Id`);
    if (folder && id) return folder + encodeURIComponent(id);
  }
  return values.has("itemId") ? "/browse" : null;
}

const place = page(new URLSearchParams(location.hash.slice(1)));
if (place) location.replace(place);

// Disable the buttons of a form while it is sent, without taking the focus from the keyboard.

/**
 * Disable the buttons of *form*. Return a function that enables them again, and gives the focus back if a
 * button had it: to the button in the same place, also of a form with the same id that replaced this one,
 * or of the region that did. It returns false if the focus was lost and there is no such button.
 */
export function disableButtons(form) {
  const buttons = buttonsOf(form);
  const place = buttons.indexOf(document.activeElement);
  const id = (form.id ? form : form.closest("[id]"))?.id;
  const placeInParent = buttonsOf(document.getElementById(id)).indexOf(document.activeElement);
  for (const button of buttons) button.disabled = true;
  return () => {
    for (const button of buttons) button.disabled = false;
    if (place < 0 || (document.activeElement && document.activeElement !== document.body)) return true;
    const again = buttons[place].isConnected ? buttons[place] : buttonsOf(document.getElementById(id))[placeInParent];
    again?.focus({ preventScroll: true });
    return again !== undefined && document.activeElement === again;
  };
}

function buttonsOf(element) {
  return element ? [...element.querySelectorAll("button")] : [];
}

// The order of what a search finds: chapters, then the reference, then the package.  Sphinx says of a page only whether a
// word is in it, or in a title of it; here the page comes first whose titles hold most words of what was asked, and of
// these the one that is named by them, as chapters are by their topic.
"use strict";

var Scorer = (() => {
  const ofSphinx = {
    objNameMatch: 11,
    objPartialMatch: 6,
    objPrio: { 0: 15, 1: 5, 2: -5 },
    objPrioDefault: 0,
    title: 15,
    partialTitle: 7,
    term: 5,
    partialTerm: 2,
  };

  const asked = () => {
    const stemmer = new Stemmer();
    const words = new URLSearchParams(location.search).get("q") || "";
    return splitQuery(words.toLowerCase()).map((word) => stemmer.stemWord(word));
  };

  function score([docname, , , about, sphinx]) {
    const { docnames, titles, titleterms } = Search._index;
    const page = docnames.indexOf(docname);
    const chapter = Number((titles[page].match(/section-number">(\d+)\./) || [])[1]);
    const kind = about ? 0 : chapter ? 2 : docname.endsWith("/api") ? 0 : 1;
    const words = asked();
    const found = (test) => words.filter(test).length / words.length;
    const inTitles = found((word) => [titleterms[word] ?? []].flat().includes(page));
    const named = found((word) => docname.split("/").pop().includes(word));
    // Each line outweighs those below it; equals stand in the order of the book.
    return 1000 * kind + 400 * inTitles + 200 * named + sphinx - (chapter || 0) / 100;
  }

  return { ...ofSphinx, score };
})();

// Made by tools/live.py.
linvaeLive.data.axis = {"points":[[0,1],[1,0],[2,2],[3,1],[3,3],[5,2],[5,4],[6,3],[7,5],[8,4]]};
